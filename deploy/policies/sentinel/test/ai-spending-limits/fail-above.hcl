import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-above-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/fail-above-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = false
    near_limit = true
  }
}
