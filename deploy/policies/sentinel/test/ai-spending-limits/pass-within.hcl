import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-within-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/pass-within-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = true
    near_limit = false
  }
}
