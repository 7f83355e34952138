import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-gpu-without-ai-tags-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
