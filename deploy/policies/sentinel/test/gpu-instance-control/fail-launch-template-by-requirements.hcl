import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-launch-template-by-requirements-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
