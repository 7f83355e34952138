output "artifacts" {
  description = "Name and ARN of the bucket of model artifacts."
  value       = { name = aws_s3_bucket.this["artifacts"].id, arn = aws_s3_bucket.this["artifacts"].arn }
}

output "evidence" {
  description = "Name and ARN of the bucket of evidence, which has Object Lock: [archive] of the config."
  value       = { name = aws_s3_bucket.this["evidence"].id, arn = aws_s3_bucket.this["evidence"].arn }
}

output "flow_logs" {
  description = "Name and ARN of the bucket of flow logs."
  value       = { name = aws_s3_bucket.this["flow-logs"].id, arn = aws_s3_bucket.this["flow-logs"].arn }
  depends_on  = [aws_s3_bucket_policy.this]
}

output "kms_key_arn" {
  description = "ARN of the key."
  value       = module.key.arn
}
