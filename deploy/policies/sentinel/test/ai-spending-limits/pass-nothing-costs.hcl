import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-nothing-costs-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/pass-nothing-costs-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = true
    near_limit = false
  }
}
