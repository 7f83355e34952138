output "role_arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}

output "instance_profile" {
  description = "Name of the instance profile, where no cluster is told."
  value       = one(aws_iam_instance_profile.this[*].name)
}
