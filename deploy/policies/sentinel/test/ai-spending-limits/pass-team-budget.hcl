import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-team-budget-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/pass-team-budget-tfrun.sentinel"
  }
}

param "budgets" {
  value = {
    "research" = "20000"
  }
}

test {
  rules = {
    main       = true
    near_limit = false
  }
}
