output "vpc_id" {
  description = "Id of the network."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses: `own` under [network] of the config."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "Ids of the subnets that things are placed in."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "ml_tools_security_group_id" {
  description = "Security group for MLflow and TensorBoard."
  value       = aws_security_group.ml_tools.id
}

output "flow_log_group" {
  description = "Name and ARN of the log group: location = \"cloudwatch:NAME\"."
  value       = { name = aws_cloudwatch_log_group.flow.name, arn = aws_cloudwatch_log_group.flow.arn }
}
