import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-not-taggable-tfplan.sentinel"
  }
}

test {
  rules = {
    main = true
  }
}
