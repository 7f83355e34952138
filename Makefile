# make test      everything that must hold: format, lints, tests, docs. Installs what the tests need.
# make specimen  reports/ anew, from the demo
# make soak      what takes longer: hundreds of deaths, a million entries, a disk that is full, the changes of an hour
# make bench     the table of docs/performance.md
# make fuzz      anything as a delivered object, TIME seconds a target
# make demo      the looks of the demo anew, from its generator
# The target folder is shared between clones; set CARGO_TARGET_DIR for another one.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/actledger/target
VENV ?= $(HOME)/.cache/actledger/venv
export PATH := $(VENV)/bin:$(PATH)
DEMO = $(CARGO_TARGET_DIR)/specimen

.PHONY: test tools specimen demo soak bench fuzz

test: tools
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	@# All tests, and then what they asked servers for against what is granted.
	export ACTLEDGER_ASKED=$$(mktemp -d) && trap 'rm -r $$ACTLEDGER_ASKED' EXIT && cargo test --locked && \
	  cargo test --locked --test it what_the_whole_suite -- --ignored && test -e $$ACTLEDGER_ASKED/compared
	cargo test --locked --test it real_samples_are_read -- --nocapture
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# Debian packages and Python packages that tests start; a missing tool fails the run.
tools:
	@PATH="$$PATH:/usr/sbin"; for tool in sqlite3 openssl pdftotext pdfinfo chromium chromedriver exim4 curl npm cc zcat systemd-analyze; do command -v $$tool >/dev/null || missing=1; done; \
	 if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends sqlite3 openssl poppler-utils chromium chromium-driver exim4-daemon-light curl npm gcc libc6-dev gzip systemd >/dev/null; fi
	@test -x $(VENV)/bin/python || python3 -m venv $(VENV)
	@$(VENV)/bin/python -c "import duckdb, rfc8785, page, pikepdf, aiosmtpd, cryptography, moto.server, boto3, trestle, py_ocsf_models, selenium, hcl2" 2>/dev/null || $(VENV)/bin/pip install -q -r tests/requirements.txt
	@# Checkers of what lies under deploy/, apart from the others: they pin what those need in other versions.
	@test -x $(VENV)/checks/bin/hadolint || (python3 -m venv $(VENV)/checks && $(VENV)/checks/bin/pip install -q -r tests/requirements-checks.txt)
	@# promtool alone is wanted of this package, not the daemon with its service.
	@test -x $(VENV)/bin/promtool || (cd $$(mktemp -d) && (apt-get download -qq prometheus 2>/dev/null || (apt-get update -qq && apt-get download -qq prometheus)) && dpkg-deb -x prometheus_*.deb . && cp usr/bin/promtool $(VENV)/bin/)
	@test -d $(VENV)/node/node_modules/@cdktf/hcl-tools || npm install --silent --no-fund --no-audit --prefix $(VENV)/node ajv@8.20.0 ajv-formats@3.0.1 oidc-provider@8.8.1 @cdktf/hcl-tools@0.21.0
	@# axe-core alone is wanted of this package, not the browsers that it drives.
	@test -d $(VENV)/lib/python3*/site-packages/axe_playwright_python || $(VENV)/bin/pip install -q --no-deps axe-playwright-python==0.1.8

soak: tools
	ACTLEDGER_CRASHES=200 cargo test --locked --test it -- whatever_happens a_pass_that_dies --nocapture
	cargo test --locked --test it -- --nocapture --ignored a_million_entries a_disk_of three_thousand_six_hundred_changes

bench: tools
	command -v libdeflate-gunzip >/dev/null || apt-get install -y -qq libdeflate-tools >/dev/null
	$(VENV)/bin/python -c "import duckdb, polars" 2>/dev/null || $(VENV)/bin/pip install -q -r benches/requirements.txt
	cargo bench --locked --bench ledger
	cargo bench --locked --bench assessment
	cargo bench --locked --bench cluster
	cargo bench --locked --bench artifacts
	cargo bench --locked --bench organization
	cargo bench --locked --bench flow_logs

demo:
	python3 deploy/demo/estate.py --seed 2026 --out deploy/demo

specimen: tools
	ACTLEDGER_SPECIMEN=write cargo test --locked --test it -- the_specimen_is_what_the_demo_makes every_change_of_every_table

# Seconds for each target. Needs a nightly compiler. What reaches code that nothing in fuzz/corpus reached is added to it.
TIME ?= 120
FUZZ = cargo +nightly fuzz run --target-dir $(CARGO_TARGET_DIR)/fuzz
fuzz:
	command -v cargo-fuzz >/dev/null || cargo install -q --locked cargo-fuzz
	cd fuzz && for target in delivered twin; do \
	  found=$(CARGO_TARGET_DIR)/fuzz/found/$$target; mkdir -p $$found; \
	  $(FUZZ) $$target $$found corpus/$$target -- -max_total_time=$(TIME) -max_len=65536 -timeout=20 -rss_limit_mb=4096 || exit 1; \
	  $(FUZZ) $$target corpus/$$target $$found -- -merge=1 -max_len=4096 || exit 1; \
	done
