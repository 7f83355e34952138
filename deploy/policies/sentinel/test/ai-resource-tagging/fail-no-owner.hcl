import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-no-owner-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
