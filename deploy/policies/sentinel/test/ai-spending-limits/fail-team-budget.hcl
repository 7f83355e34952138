import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-team-budget-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/fail-team-budget-tfrun.sentinel"
  }
}

param "budgets" {
  value = {
    "marketing" = "500"
  }
}

test {
  rules = {
    main       = false
    near_limit = true
  }
}
