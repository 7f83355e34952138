import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-autoscaling-group-tfplan.sentinel"
  }
}

test {
  rules = {
    main = true
  }
}
