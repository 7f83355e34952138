# Buckets of model artifacts, of flow logs and of evidence: versions kept, encrypted with a key, nothing public, access written down.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  buckets = {
    artifacts = { lock_days = var.artifact_lock_days, kept_days = null }
    evidence  = { lock_days = var.evidence_lock_days, kept_days = null }
    flow-logs = { lock_days = null, kept_days = var.flow_log_days }
    access    = { lock_days = null, kept_days = var.access_log_days }
  }
  # Who writes access logs can only write to a bucket with the keys of S3 itself (Amazon S3 User Guide, "Enabling server access logging").
  with_key = setsubtract(keys(local.buckets), ["access"])
  # What flow logs are delivered with, under the names that AWS looks for before it adds statements of its own.
  delivery = {
    AWSLogDeliveryWrite    = { actions = ["s3:PutObject"], below = "/AWSLogs/${data.aws_caller_identity.current.account_id}/*" }
    AWSLogDeliveryAclCheck = { actions = ["s3:GetBucketAcl", "s3:ListBucket"], below = "" }
  }
}

module "key" {
  source             = "../key"
  name               = "${var.name}-storage"
  description        = "Model artifacts, flow logs and evidence of ${var.name}"
  takes_log_delivery = true
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:The others log to the bucket "access"; that one logs nowhere, or it would log its own logs.
  #checkov:skip=CKV_AWS_144:Copies in another region are the house's to decide; the report tells whether there are any.
  #checkov:skip=CKV2_AWS_62:Nothing listens: the service lists versions itself, so that nothing depends on events that got lost.
  #checkov:skip=CKV_AWS_145:The bucket of access logs takes the keys of S3 alone; the others have a key of ours.
  for_each            = local.buckets
  bucket              = "${var.name}-${each.key}-${data.aws_caller_identity.current.account_id}"
  object_lock_enabled = each.value.lock_days != null
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    bucket_key_enabled = contains(local.with_key, each.key)
    apply_server_side_encryption_by_default {
      sse_algorithm     = contains(local.with_key, each.key) ? "aws:kms" : "AES256"
      kms_master_key_id = contains(local.with_key, each.key) ? module.key.arn : null
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.buckets
  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  for_each = { for name, bucket in local.buckets : name => bucket if bucket.lock_days != null }
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    default_retention {
      mode = "COMPLIANCE"
      days = each.value.lock_days
    }
  }
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each      = local.with_key
  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this["access"].id
  target_prefix = "${each.key}/"
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    id     = "parts-of-uploads-that-broke-off"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
  dynamic "rule" {
    for_each = each.value.kept_days[*]
    content {
      id     = "old"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
      noncurrent_version_expiration {
        noncurrent_days = 30
      }
    }
  }
}

# TLS alone; access logs from the other buckets; flow logs of this account (VPC user guide, "Amazon S3 bucket permissions for flow logs").
data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets
  statement {
    sid       = "TlsAlone"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  dynamic "statement" {
    for_each = each.key == "access" ? local.with_key : []
    content {
      sid       = "LogsOf${replace(title(statement.value), "-", "")}"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.this["access"].arn}/${statement.value}/*"]
      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [aws_s3_bucket.this[statement.value].arn]
      }
    }
  }
  dynamic "statement" {
    for_each = each.key == "flow-logs" ? local.delivery : {}
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = ["${aws_s3_bucket.this["flow-logs"].arn}${statement.value.below}"]
      principals {
        type        = "Service"
        identifiers = ["delivery.logs.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = ["arn:aws:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:*"]
      }
    }
  }
}

# AWS adds what it misses to the policy of a bucket when a flow log is made for it: a plan afterwards shows it.
resource "aws_s3_bucket_policy" "this" {
  for_each   = local.buckets
  bucket     = aws_s3_bucket.this[each.key].id
  policy     = data.aws_iam_policy_document.bucket[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.this]
}
