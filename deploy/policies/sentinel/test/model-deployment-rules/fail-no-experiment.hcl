import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-no-experiment-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
