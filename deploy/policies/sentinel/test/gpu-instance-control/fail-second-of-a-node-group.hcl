import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-second-of-a-node-group-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
