import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-no-tags-at-all-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
