import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-odd-environment-is-production-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
