import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-other-case-of-name-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
