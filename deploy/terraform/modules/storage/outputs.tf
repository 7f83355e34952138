output "artifacts" {
  description = "Name and ARN of the bucket of model artifacts."
  value       = { name = aws_s3_bucket.this["artifacts"].id, arn = aws_s3_bucket.this["artifacts"].arn }
}

output "evidence" {
  description = "Name and ARN of the bucket of evidence, which has Object Lock: [archive] of the config."
  value       = { name = aws_s3_bucket.this["evidence"].id, arn = aws_s3_bucket.this["evidence"].arn }
}

output "kms_key_arn" {
  description = "ARN of the key."
  value       = aws_kms_key.this.arn
}
