import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-near-the-limit-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/pass-near-the-limit-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = true
    near_limit = true
  }
}
