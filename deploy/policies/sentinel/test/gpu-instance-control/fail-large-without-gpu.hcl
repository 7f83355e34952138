import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-large-without-gpu-tfplan.sentinel"
  }
}

test {
  rules = {
    main = false
  }
}
