import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-required-without-a-list-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
