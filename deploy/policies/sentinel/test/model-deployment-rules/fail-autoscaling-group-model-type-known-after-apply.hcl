import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-autoscaling-group-model-type-known-after-apply-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
