import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-model-type-none-tfplan.sentinel"
  }
}

test {
  rules = {
    main = true
  }
}
