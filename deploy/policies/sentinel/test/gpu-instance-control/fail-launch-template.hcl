import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-launch-template-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
