# What the service may do in AWS, and nothing else. The actions of each document are those of docs/permissions.md: a test holds the two
# together.

data "aws_iam_policy_document" "trust" {
  statement {
    actions = var.cluster_name == null ? ["sts:AssumeRole"] : ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = [var.cluster_name == null ? "ec2.amazonaws.com" : "pods.eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "Actledger reads evidence with it."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_eks_pod_identity_association" "this" {
  count           = var.cluster_name == null ? 0 : 1
  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.this.arn
}

resource "aws_iam_instance_profile" "this" {
  count = var.cluster_name == null ? 1 : 0
  name  = var.name
  role  = aws_iam_role.this.name
}

data "aws_iam_policy_document" "flow_logs_s3" {
  statement {
    sid       = "Find"
    actions   = ["s3:ListBucket"]
    resources = var.flow_log_buckets[*].arn
  }
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = [for b in var.flow_log_buckets : "${b.arn}/${b.prefix == "" ? "" : "${trim(b.prefix, "/")}/"}*"]
  }
}

data "aws_iam_policy_document" "flow_logs_cloudwatch" {
  statement {
    sid       = "Read"
    actions   = ["logs:FilterLogEvents"]
    resources = [for arn in var.flow_log_groups : "${arn}:*"]
  }
  statement {
    sid       = "Find"
    actions   = ["logs:DescribeLogGroups"]
    resources = [for arn in var.flow_log_groups : "${join(":", slice(split(":", arn), 0, 5))}:log-group:*"]
  }
}

data "aws_iam_policy_document" "inventory" {
  statement {
    sid       = "List"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeFlowLogs"]
    resources = ["*"] # These actions know no resources (Service Authorization Reference, Amazon EC2).
  }
}

data "aws_iam_policy_document" "artifacts" {
  statement {
    sid = "Settings"
    actions = [
      "s3:ListBucketVersions",
      "s3:GetBucketVersioning",
      "s3:GetEncryptionConfiguration",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:GetBucketLogging",
    ]
    resources = var.artifact_buckets
  }
  statement {
    sid = "Versions"
    actions = [
      "s3:GetObjectVersion",
      "s3:GetObjectVersionAttributes",
      "s3:GetObjectVersionTagging",
      "s3:GetObjectRetention",
      "s3:GetObjectLegalHold",
    ]
    resources = [for arn in var.artifact_buckets : "${arn}/*"]
  }
}

data "aws_iam_policy_document" "archive" {
  statement {
    sid       = "Lock"
    actions   = ["s3:PutObject", "s3:PutObjectRetention", "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"]
    resources = [for a in var.archive[*] : "${a.arn}/${a.prefix == "" ? "" : "${trim(a.prefix, "/")}/"}*"]
  }
}

data "aws_iam_policy_document" "keys" {
  statement {
    sid       = "Use"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = var.kms_keys
  }
}

data "aws_iam_policy_document" "roles" {
  statement {
    sid       = "Become"
    actions   = ["sts:AssumeRole"]
    resources = var.roles
  }
}

locals {
  # A document without resources is no policy.
  documents = {
    flow-logs-s3         = { wanted = length(var.flow_log_buckets) > 0, json = data.aws_iam_policy_document.flow_logs_s3.json }
    flow-logs-cloudwatch = { wanted = length(var.flow_log_groups) > 0, json = data.aws_iam_policy_document.flow_logs_cloudwatch.json }
    inventory            = { wanted = var.reads_inventory, json = data.aws_iam_policy_document.inventory.json }
    artifacts            = { wanted = length(var.artifact_buckets) > 0, json = data.aws_iam_policy_document.artifacts.json }
    archive              = { wanted = var.archive != null, json = data.aws_iam_policy_document.archive.json }
    keys                 = { wanted = length(var.kms_keys) > 0, json = data.aws_iam_policy_document.keys.json }
    roles                = { wanted = length(var.roles) > 0, json = data.aws_iam_policy_document.roles.json }
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = { for name, document in local.documents : name => document.json if document.wanted }
  name     = each.key
  role     = aws_iam_role.this.id
  policy   = each.value
}
