# A key, and who besides the account may use it.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  # Services that encrypt what they write: for whom, and under which condition.
  services = merge(
    var.log_groups == null ? {} : {
      Logs = {
        principal = "logs.${data.aws_region.current.region}.amazonaws.com"
        variable  = "kms:EncryptionContext:aws:logs:arn"
        value     = "arn:aws:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:log-group:${var.log_groups}"
      }
    },
    var.takes_log_delivery ? {
      Delivery = {
        principal = "delivery.logs.amazonaws.com"
        variable  = "aws:SourceArn"
        value     = "arn:aws:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:*"
      }
    } : {},
  )
}

data "aws_iam_policy_document" "this" {
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
  dynamic "statement" {
    for_each = local.services
    content {
      sid       = statement.key
      actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = [statement.value.principal]
      }
      condition {
        test     = "ArnLike"
        variable = statement.value.variable
        values   = [statement.value.value]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.this.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
