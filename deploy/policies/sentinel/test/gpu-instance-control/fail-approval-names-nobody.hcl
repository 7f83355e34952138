import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-approval-names-nobody-tfplan.sentinel"
  }
}

param "approvals" {
  value = [{
    "address" = "aws_eks_node_group.training"
    "instance_type" = "p4d.24xlarge"
    "approved_by" = ""
    "expires" = "2999-12-31T00:00:00Z"
  }]
}

test {
  rules = {
    main = false
  }
}
