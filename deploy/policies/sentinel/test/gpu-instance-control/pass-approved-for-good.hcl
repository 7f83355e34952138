import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/pass-approved-for-good-tfplan.sentinel"
  }
}

param "approved_gpu" {
  value = ["g5.xlarge"]
}

test {
  rules = {
    main = true
  }
}
