import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-ai-is-known-after-apply-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/pass-ai-is-known-after-apply-tfrun.sentinel"
  }
}

test {
  rules = {
    main       = true
    near_limit = true
  }
}
