import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-estimate-is-no-number-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/fail-estimate-is-no-number-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = false
    near_limit = false
  }
}
