import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-autoscaling-group-without-owner-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
