import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-high-without-review-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
