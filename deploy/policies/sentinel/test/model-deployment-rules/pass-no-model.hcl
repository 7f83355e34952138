import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-no-model-tfplan.sentinel"
  }
}

test {
  rules = {
    main = true
  }
}
