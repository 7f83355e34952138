import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-at-eighty-percent-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/pass-at-eighty-percent-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = true
    near_limit = false
  }
}
