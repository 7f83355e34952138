import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-by-default-tags-tfplan.sentinel"
  }
}

test {
  rules = {
    main = true
  }
}
