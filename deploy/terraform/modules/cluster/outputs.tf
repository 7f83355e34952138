output "name" {
  description = "Name of the cluster: aws eks update-kubeconfig --name NAME."
  value       = aws_eks_cluster.this.name
}

output "security_group_id" {
  description = "Security group of the cluster and its nodes."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
