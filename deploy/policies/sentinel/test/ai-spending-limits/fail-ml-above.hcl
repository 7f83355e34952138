import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-ml-above-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/fail-ml-above-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = false
    near_limit = true
  }
}
