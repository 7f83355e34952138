import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-environment-of-its-own-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
