import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-level-of-its-own-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
