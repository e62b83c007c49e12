# Works with GNU make 3.81, the one on macOS. "make help" lists the targets.

GO ?= go
GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)
FUZZTIME ?= 10s
DURATION ?= 10m
BENCH ?= .
MUTATIONS ?= .
ROUNDS ?= 25
SESSIONS ?= 100000

# on: promises-check, and with it .ci/run, fails where a promise has no test.
PROMISES ?= on

# The package pattern "work" means all packages of all modules in the
# workspace; "./..." stops at the border of a module. Recipes that check a
# module by itself say GOWORK=off.
export GOWORK := $(CURDIR)/go.work

# EACH_MODULE opens a loop over the folders of all modules; close it with "done".
EACH_MODULE = set -e; $(GO) list -m -f '{{.Dir}}' | while IFS= read -r dir; do \
	cd "$$dir"; echo "--- $${dir\#"$(CURDIR)"}/";

# RACE sets $$race where the race detector can work: it needs cgo and a C compiler.
RACE = if $(GO) list -race errors >/dev/null 2>&1 && command -v $$($(GO) env CC) >/dev/null 2>&1; \
	then race=-race; \
	else race=; echo "No race detector here (it needs cgo and a C compiler): testing without."; fi

# BROWSER prints where Chromium is, or a browser made of it; examples/browser
# looks in the same places.
BROWSER = if [ -n "$$CHROMIUM" ]; then command -v "$$CHROMIUM"; else \
	for name in chromium chromium-browser google-chrome google-chrome-stable chrome \
		/Applications/Chromium.app/Contents/MacOS/Chromium \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; \
	do command -v "$$name" && break; done; fi

# What the result of a test run depends on.
SOURCES = $(wildcard $(shell git ls-files --cached --others --exclude-standard -- \
	'*.go' '*go.mod' '*go.sum' 'go.work*' '*/testdata/*' 'examples/internal/demo/*' 2>/dev/null))

.PHONY: test
test: check-go redis browser ## all tests of all modules, and the smoke test (default)
	@$(RACE); $(GO) run ./internal/tools/promises test -json tmp/test.json -- $$race work
	@$(MAKE) --no-print-directory smoke

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: check-go ## start the demo application on Echo
	$(GO) run ./examples/echo

.PHONY: check-go
check-go:
	@version=$$($(GO) version 2>/dev/null | sed -n 's/^go version [^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1 \2/p'); \
	set -- $${version:-0 0}; \
	if [ "$$1" -lt 1 ] || { [ "$$1" -eq 1 ] && [ "$$2" -lt 25 ]; }; then \
		echo "Satchel needs Go 1.25 or later. Get it from https://go.dev/dl/,"; \
		echo "or with:  brew install go   (macOS)"; \
		echo "If you have Go 1.21 or later:  go env -w GOTOOLCHAIN=auto"; \
		exit 1; \
	fi

.PHONY: redis
redis: ## find redis-server, which the tests start; as root on Debian install it
	@if ! command -v redis-server >/dev/null 2>&1; then \
		if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; then \
			echo "Installing redis-server; the tests need it."; \
			export DEBIAN_FRONTEND=noninteractive; \
			apt-get install -y redis-server || \
				{ apt-get update && apt-get install -y redis-server; }; \
		fi; \
	fi; \
	if ! command -v redis-server >/dev/null 2>&1; then \
		echo "The tests need redis-server in PATH; they start it themselves. Install it with"; \
		echo "    sudo apt-get install redis-server    (Debian, Ubuntu)"; \
		echo "    brew install redis                   (macOS)"; \
		exit 1; \
	fi

.PHONY: browser
browser: ## find Chromium, in which the demo is tested; as root on Debian install it
	@browser() { $(BROWSER); }; \
	if ! browser >/dev/null && [ -z "$$CHROMIUM" ] && \
		[ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; then \
		echo "Installing chromium; the tests of the demo need it."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get install -y chromium || \
			{ apt-get update && apt-get install -y chromium; }; \
	fi; \
	if ! browser >/dev/null; then \
		echo "The tests of the demo need Chromium, or a browser made of it. Install it with"; \
		echo "    sudo apt-get install chromium        (Debian)"; \
		echo "    brew install --cask chromium         (macOS)"; \
		echo "or set CHROMIUM to the path of such a browser."; \
		exit 1; \
	fi

.PHONY: screenshots
screenshots: check-go browser ## take the images of the README, docs/images, from the demo
	@mkdir -p docs/images
	cd examples && $(GO) test -count 1 -run '^TestScreenshots$$' ./browser -args -screenshots "$(CURDIR)/docs/images"

.PHONY: test-fast
test-fast: check-go redis ## short tests, without the race detector
	$(GO) test -short work

.PHONY: race
race: check-go redis browser ## tests with the race detector only
	$(GO) test -race work

.PHONY: test-modules
test-modules: check-go redis browser ## each module by itself, as its users get it
	@$(EACH_MODULE) \
		GOWORK=off $(GO) build ./... </dev/null; \
		GOWORK=off $(GO) vet ./... </dev/null; \
		GOWORK=off $(GO) test ./... </dev/null; \
	done

.PHONY: test-fips
test-fips: check-go redis ## core, stores and adapters under GODEBUG=fips140=only
	GODEBUG=fips140=only $(GO) test -short ./core/... ./core/gorillastore/... ./echoadapter/... ./ginadapter/... ./fiberadapter/...
	GODEBUG=fips140=only $(GO) test -run '^Test(Store|StoreWithFakeClock|SEC.*|K1.*|FIPS.*)$$' ./core/goredisstore

.PHONY: lint
lint: check-go $(GOLANGCI) ## golangci-lint in each module
	@$(EACH_MODULE) "$(CURDIR)/$(GOLANGCI)" run --config "$(CURDIR)/.golangci.yml" ./... </dev/null; done

.PHONY: fmt
fmt: check-go $(GOLANGCI) ## format the code
	@$(EACH_MODULE) "$(CURDIR)/$(GOLANGCI)" fmt --config "$(CURDIR)/.golangci.yml" ./... </dev/null; done

$(GOLANGCI):
	@echo "Building golangci-lint $(GOLANGCI_VERSION); this takes a few minutes, once."
	GOWORK=off GOBIN="$(CURDIR)/bin" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/golangci-lint $@

.PHONY: promises
promises: check-go tmp/test.json ## write the tables of docs/promises.md and docs/security.md
	@$(GO) run ./internal/tools/promises table -json tmp/test.json -o docs/promises.md -security docs/security.md

.PHONY: promises-check
ifeq ($(PROMISES),on)
promises-check: check-go tmp/test.json ## fail if a promise has no test or a table is out of date
	@$(GO) run ./internal/tools/promises table -json tmp/test.json -o docs/promises.md -security docs/security.md -check
else
promises-check:
	@echo "Promises are not checked yet: PROMISES is off in the Makefile."
endif

tmp/test.json: $(SOURCES) | redis browser
	@$(RACE); $(GO) run ./internal/tools/promises test -json $@ -- $$race work

.PHONY: smoke
smoke: check-go ## use the modules from outside, as if this state were tagged
	@$(GO) run ./internal/tools/smoke

.PHONY: tidy-check
tidy-check: check-go ## fail if "go mod tidy" would change a module
	@$(EACH_MODULE) GOWORK=off $(GO) mod tidy -diff </dev/null; done

.PHONY: tidy
tidy: check-go ## "go mod tidy" in each module
	@$(EACH_MODULE) GOWORK=off $(GO) mod tidy </dev/null; done

.PHONY: bench
bench: check-go redis ## benchmarks; BENCH=regexp chooses
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem work

.PHONY: bench-peers
bench-peers: check-go redis ## benchmarks beside other session libraries; ROUNDS=25 times
	@$(GO) run ./internal/tools/medians -dir bench -rounds $(ROUNDS) -bench '$(BENCH)'

.PHONY: capacity
capacity: check-go redis ## what sessions take of Redis; SESSIONS=100000 of them
	cd core/goredisstore && SATCHEL_CAPACITY_SESSIONS=$(SESSIONS) $(GO) test -count=1 -timeout 60m -run TestCapacity -v .

.PHONY: fuzz
fuzz: check-go ## each fuzz test for FUZZTIME (10s)
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' core examples internal *adapter | sort | while IFS= read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while IFS= read -r name; do \
			echo "--- $$(dirname "$$file") $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "./$$(dirname "$$file")" </dev/null; \
		done; \
	done

# How many schedules the model test runs, and the seed of the first.
N ?= 1000000
SEED ?= $(shell date +%s)000000

.PHONY: torture
torture: check-go ## the model test with N schedules (1000000) from SEED on (a new one each time)
	$(GO) test -run '^TestModel$$' -count=1 -v -timeout 0 ./internal/modeltest -args -schedules=$(N) -seed=$(SEED)

.PHONY: mutate
mutate: check-go ## break each promise, and see its test fail; MUTATIONS=regexp chooses
	@$(GO) run ./internal/tools/mutate -run '$(MUTATIONS)'

.PHONY: soak
soak: check-go ## the probe under load for DURATION (10m) in each framework: nothing may grow
	@$(GO) run ./internal/tools/soak -duration $(DURATION)

.PHONY: cover
cover: check-go redis browser ## test coverage, in tmp/cover.html
	@mkdir -p tmp
	$(GO) test -coverprofile=tmp/cover.out -coverpkg=work work
	@$(GO) tool cover -html=tmp/cover.out -o tmp/cover.html
	@$(GO) tool cover -func=tmp/cover.out | tail -n 1

.PHONY: release-check
release-check: check-go ## try the release script on a copy
	@scripts/release-test

.PHONY: release
release: check-go ## tag all modules: make release VERSION=v0.1.0
	@scripts/release $(VERSION)

.PHONY: clean
clean: ## remove what the other targets have made
	rm -rf bin tmp
