# Buckets of model artifacts and of evidence: versions kept, encrypted with a key, nothing public, access written down.

data "aws_caller_identity" "current" {}

locals {
  buckets = {
    artifacts = { lock_days = var.artifact_lock_days }
    evidence  = { lock_days = var.evidence_lock_days }
    access    = { lock_days = null }
  }
  # Who writes access logs can only write to a bucket with the keys of S3 itself (Amazon S3 User Guide, "Enabling server access logging").
  with_key = setsubtract(keys(local.buckets), ["access"])
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:The policy of a key: without the account in it nobody could ever change it (AWS KMS, "Default key policy").
  #checkov:skip=CKV_AWS_111:The policy of a key, whose resource is that key alone.
  #checkov:skip=CKV_AWS_356:The policy of a key, whose resource is that key alone.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"] # In the policy of a key, the key itself.
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "Model artifacts and evidence of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-storage"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Artifacts and evidence log to the bucket "access"; that one logs nowhere, or it would log its own logs.
  #checkov:skip=CKV_AWS_144:Copies in another region are the house's to decide; the report tells whether there are any.
  #checkov:skip=CKV2_AWS_62:Nothing listens: the service lists versions itself, so that nothing depends on events that got lost.
  #checkov:skip=CKV_AWS_145:The bucket of access logs takes the keys of S3 alone; the two others have a key of ours.
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
      kms_master_key_id = contains(local.with_key, each.key) ? aws_kms_key.this.arn : null
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
    for_each = each.key == "access" ? [var.access_log_days] : []
    content {
      id     = "old-access-logs"
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

# TLS alone, and access logs from these two buckets.
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
      sid       = "LogsOf${title(statement.value)}"
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
}

resource "aws_s3_bucket_policy" "this" {
  for_each   = local.buckets
  bucket     = aws_s3_bucket.this[each.key].id
  policy     = data.aws_iam_policy_document.bucket[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.this]
}
