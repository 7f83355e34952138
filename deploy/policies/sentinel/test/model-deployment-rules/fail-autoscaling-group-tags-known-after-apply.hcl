import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-autoscaling-group-tags-known-after-apply-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
