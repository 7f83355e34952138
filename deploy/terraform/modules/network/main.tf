# A network whose flow logs say who talked with whom, and in which nothing of ours is reached from outside.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  zones = { for i, zone in var.zones : zone => i }
  # What the service reads of a record, in the order of the default format, then what tells pods and directions apart: behind a node
  # only the addresses of the packet name the pod (VPC user guide, "Flow log records", versions 2, 3 and 5).
  flow_log_format = "$${version} $${account-id} $${interface-id} $${srcaddr} $${dstaddr} $${srcport} $${dstport} $${protocol} $${packets} $${bytes} $${start} $${end} $${action} $${log-status} $${vpc-id} $${tcp-flags} $${pkt-srcaddr} $${pkt-dstaddr} $${flow-direction}"
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# The group that things get which name none: it lets nothing through.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each          = local.zones
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)
  tags              = { Name = "${var.name}-private-${each.key}", "kubernetes.io/role/internal-elb" = "1" }
}

# For the gateways alone: nothing else is placed there, and nothing gets a public address by itself.
resource "aws_subnet" "public" {
  for_each          = local.zones
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value + 8)
  tags              = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_eip" "this" {
  for_each = local.zones
  domain   = "vpc"
  tags     = { Name = "${var.name}-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each      = local.zones
  allocation_id = aws_eip.this[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  depends_on    = [aws_internet_gateway.this]
  tags          = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
  tags = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  for_each       = local.zones
  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = local.zones
  vpc_id   = aws_vpc.this.id
  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.this[each.key].id
  }
  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each       = local.zones
  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# Model artifacts and evidence do not leave the network on their way to S3.
resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.this.id
  service_name    = "com.amazonaws.${data.aws_region.current.region}.s3"
  route_table_ids = [for table in aws_route_table.private : table.id]
  tags            = { Name = "${var.name}-s3" }
}

# MLflow and TensorBoard, from inside the network alone.
resource "aws_security_group" "ml_tools" {
  #checkov:skip=CKV2_AWS_5:It is for whoever runs MLflow or TensorBoard; its id is an output.
  name        = "${var.name}-ml-tools"
  description = "MLflow (5000) and TensorBoard (6006), from inside the network alone"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-ml-tools" }
}

resource "aws_vpc_security_group_ingress_rule" "ml_tools" {
  for_each          = { mlflow = 5000, tensorboard = 6006 }
  security_group_id = aws_security_group.ml_tools.id
  description       = "${each.key} from inside the network"
  cidr_ipv4         = aws_vpc.this.cidr_block
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

module "key" {
  source      = "../key"
  name        = "${var.name}-network"
  description = "Flow logs of ${var.name}"
  log_groups  = "/vpc/${var.name}/*"
}

resource "aws_cloudwatch_log_group" "flow" {
  name              = "/vpc/${var.name}/flow"
  retention_in_days = var.flow_log_days
  kms_key_id        = module.key.arn
}

data "aws_iam_policy_document" "deliver_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "deliver" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }
  statement {
    actions   = ["logs:DescribeLogGroups"]
    resources = ["arn:aws:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:log-group:*"]
  }
}

resource "aws_iam_role" "deliver" {
  name               = "${var.name}-flow-logs"
  assume_role_policy = data.aws_iam_policy_document.deliver_trust.json
}

resource "aws_iam_role_policy" "deliver" {
  name   = "deliver"
  role   = aws_iam_role.deliver.id
  policy = data.aws_iam_policy_document.deliver.json
}

resource "aws_flow_log" "cloudwatch" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_format               = local.flow_log_format
  max_aggregation_interval = 60
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.deliver.arn
  depends_on               = [aws_iam_role_policy.deliver]
  tags                     = { Name = "${var.name}-cloudwatch" }
}

resource "aws_flow_log" "s3" {
  count                    = var.flow_log_bucket == null ? 0 : 1
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_format               = local.flow_log_format
  max_aggregation_interval = 60
  log_destination_type     = "s3"
  log_destination          = var.flow_log_bucket.arn
  destination_options {
    file_format                = "parquet"
    hive_compatible_partitions = false
    per_hour_partition         = false
  }
  tags = { Name = "${var.name}-s3" }
}
