import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-no-estimate-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/fail-no-estimate-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = false
    near_limit = false
  }
}
