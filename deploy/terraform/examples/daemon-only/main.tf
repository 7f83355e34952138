# Only what the service may read, for those who have the rest.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

module "daemon" {
  source           = "../../modules/daemon"
  flow_log_buckets = [{ arn = "arn:aws:s3:::example-log-archive", prefix = "vpc" }]
  artifact_buckets = ["arn:aws:s3:::example-ml-models"]
}

output "instance_profile" {
  description = "What the machine of the service gets."
  value       = module.daemon.instance_profile
}
