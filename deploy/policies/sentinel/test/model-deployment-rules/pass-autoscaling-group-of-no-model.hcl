import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-autoscaling-group-of-no-model-tfplan.sentinel"
  }
}

test {
  rules = {
    main = true
  }
}
