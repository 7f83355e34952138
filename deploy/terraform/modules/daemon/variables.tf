variable "name" {
  description = "Name of the role and its policies."
  type        = string
  default     = "actledger"
}

variable "flow_log_buckets" {
  description = "Buckets that flow logs are delivered to, and the folder that holds AWSLogs/ (empty: the bucket itself)."
  type        = list(object({ arn = string, prefix = optional(string, "") }))
  default     = []
}

variable "flow_log_groups" {
  description = "ARNs of log groups with flow logs, without :* at the end."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.flow_log_groups : !endswith(arn, ":*")])
    error_message = "A log group is told without :* at the end."
  }
}

variable "reads_inventory" {
  description = "Whether interfaces and flow logs of the account are listed, to know what is missing."
  type        = bool
  default     = true
}

variable "artifact_buckets" {
  description = "ARNs of buckets with model artifacts."
  type        = list(string)
  default     = []
}

variable "archive" {
  description = "Bucket with Object Lock that checkpoints go to, and the prefix in it. None: no archive."
  type        = object({ arn = string, prefix = optional(string, "") })
  default     = null
}

variable "kms_keys" {
  description = "ARNs of keys that objects of these buckets are encrypted with."
  type        = list(string)
  default     = []
}

variable "roles" {
  description = "ARNs of roles of other accounts that a source names as role_arn."
  type        = list(string)
  default     = []
}

variable "cluster_name" {
  description = "EKS cluster in which the service runs under Pod Identity. None: an instance takes the role on."
  type        = string
  default     = null
}

variable "namespace" {
  description = "Namespace of the service account."
  type        = string
  default     = "actledger"
}

variable "service_account" {
  description = "Name of the service account."
  type        = string
  default     = "actledger"
}
