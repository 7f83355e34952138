# Only what the service may read, for those who have the rest. What is left out is not read, and the report says so.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

variable "flow_log_buckets" {
  description = "Buckets that flow logs are delivered to, and the folder that holds AWSLogs/."
  type        = list(object({ arn = string, prefix = optional(string, "") }))
  default     = []
}

variable "artifact_buckets" {
  description = "ARNs of buckets with model artifacts."
  type        = list(string)
  default     = []
}

variable "archive" {
  description = "Bucket with Object Lock for [archive], and the prefix in it."
  type        = object({ arn = string, prefix = optional(string, "") })
  default     = null
}

variable "kms_keys" {
  description = "ARNs of keys that these buckets are encrypted with."
  type        = list(string)
  default     = []
}

variable "cluster_name" {
  description = "EKS cluster in which the service runs. None: an instance takes the role on."
  type        = string
  default     = null
}

module "daemon" {
  source           = "../../modules/daemon"
  flow_log_buckets = var.flow_log_buckets
  artifact_buckets = var.artifact_buckets
  archive          = var.archive
  kms_keys         = var.kms_keys
  cluster_name     = var.cluster_name
}

output "role_arn" {
  description = "Role of the service."
  value       = module.daemon.role_arn
}

output "instance_profile" {
  description = "What the machine of the service gets, where no cluster is told."
  value       = module.daemon.instance_profile
}
