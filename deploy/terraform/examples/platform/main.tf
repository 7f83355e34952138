# Everything: a network, a cluster, buckets, and what the service may read of them.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

variable "name" {
  description = "Name of the platform."
  type        = string
  default     = "ml-platform"
}

variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "public_access_cidrs" {
  description = "Addresses from which the API of the cluster is reached over the internet: yours. None: from inside the network alone."
  type        = list(string)
  default     = []
}

variable "owner" {
  description = "Who answers for it: a mail address."
  type        = string
}

# Tags that ai-resource-tagging asks of every resource.
provider "aws" {
  region = var.region
  default_tags {
    tags = {
      Environment       = "production"
      Project           = var.name
      Owner             = var.owner
      ML-Team           = "platform-team"
      Model-Type        = "none"
      AI-System         = "shared"
      AI-Risk-Level     = "minimal"
      Compliance-Review = "2026-11-27"
    }
  }
}

variable "zones" {
  description = "Letters of two availability zones of the region."
  type        = list(string)
  default     = ["a", "b"]
}

module "storage" {
  source = "../../modules/storage"
  name   = var.name
}

# Flow logs go to a log group, where people look, and to a bucket, which the service reads.
module "network" {
  source = "../../modules/network"
  name   = var.name
  zones  = [for letter in var.zones : "${var.region}${letter}"]

  flow_log_bucket = module.storage.flow_logs
}

module "cluster" {
  source     = "../../modules/cluster"
  name       = var.name
  subnet_ids = module.network.private_subnet_ids

  public_access_cidrs = var.public_access_cidrs
}

module "daemon" {
  source           = "../../modules/daemon"
  cluster_name     = module.cluster.name
  flow_log_buckets = [{ arn = module.storage.flow_logs.arn }]
  artifact_buckets = [module.storage.artifacts.arn]
  archive          = { arn = module.storage.evidence.arn, prefix = "actledger" }
  kms_keys         = [module.storage.kms_key_arn]
}

output "next" {
  description = "What the config of the service says of this platform."
  value       = <<-TEXT
    [[flow_logs]]
    name = "vpc"
    location = "s3://${module.storage.flow_logs.name}"
    region = "${var.region}"
    inventory = true
    [[model_artifacts]]
    name = "models"
    location = "s3://${module.storage.artifacts.name}"
    region = "${var.region}"
    [archive]
    location = "s3://${module.storage.evidence.name}/actledger"
    region = "${var.region}"
    retention_days = 184
    # [network] own = ["${module.network.cidr}"], in the place of what stands there; [[gatekeeper]] flow_logs = "vpc"
  TEXT
}
