import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-emr-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
