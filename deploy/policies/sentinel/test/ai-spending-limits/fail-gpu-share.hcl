import "module" "pack" {
  source = "../../pack.sentinel"
}

mock "tfplan/v2" {
  module {
    source = "mocks/fail-gpu-share-tfplan.sentinel"
  }
}

mock "tfrun" {
  module {
    source = "mocks/fail-gpu-share-tfrun.sentinel"
  }
}

param "max_gpu_share" {
  value = 40
}

test {
  rules = {
    main         = false
    near_limit   = false
    gpu_share    = false
    within_limit = true
  }
}
