# Works with GNU make 3.81, the one on macOS. "make help" lists the targets.

GO ?= go
GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)
JOSE_VERSION := 6.2.18
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
FUZZTIME ?= 10s
DURATION ?= 10m
BENCH ?= .
MUTATIONS ?= .
ROUNDS ?= 25
BENCHTIME ?= 150ms
SESSIONS ?= 100000

# on: promises-check, and with it .ci/run, fails where a promise has no test.
PROMISES ?= on

# The package pattern "work" means all packages of all modules in the
# workspace; "./..." stops at the border of a module. Recipes that check a
# module on its own set GOWORK=off.
export GOWORK := $(CURDIR)/go.work

# EACH_MODULE opens a loop over the folders of all modules; close it with "done".
EACH_MODULE = set -e; $(GO) list -m -f '{{.Dir}}' | while IFS= read -r dir; do \
	cd "$$dir"; echo "--- $${dir\#"$(CURDIR)"}/";

# RACE sets $$race where the race detector can work: it needs cgo and a C compiler.
RACE = if $(GO) list -race errors >/dev/null 2>&1 && command -v $$($(GO) env CC) >/dev/null 2>&1; \
	then race=-race; \
	else race=; echo "No race detector here (it needs cgo and a C compiler): testing without."; fi

# RUN_TESTS runs all tests into tmp/test.json. The matrix of frameworks and stores in
# ./examples runs without the race detector, with which it would take as long as all else
# together: with it run the suites of each framework and each store. Its cases mostly wait.
define RUN_TESTS
@mkdir -p tmp; $(RACE); failed=0; \
	$(GO) run ./internal/tools/promises test -json tmp/race.json -- $$race $$($(GO) list work | grep -v '/satchel/examples$$') || failed=1; \
	$(GO) run ./internal/tools/promises test -json tmp/matrix.json -- -parallel 8 -timeout 30m ./examples || failed=1; \
	cat tmp/race.json tmp/matrix.json >tmp/test.json; exit $$failed
endef

# BROWSER prints the path of Chromium, or of a browser based on it;
# examples/internal/chromium looks in the same places.
BROWSER = if [ -n "$$CHROMIUM" ]; then command -v "$$CHROMIUM"; else \
	for name in chromium chromium-browser google-chrome google-chrome-stable chrome \
		/Applications/Chromium.app/Contents/MacOS/Chromium \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; \
	do command -v "$$name" && break; done; fi

# DATABASES finds the programs of the SQL servers; internal/testing/sqltest looks in
# the same places.
DATABASES = PATH="$$PATH:/usr/sbin:$$(echo /usr/lib/postgresql/*/bin /opt/homebrew/opt/*/bin /usr/local/opt/*/bin | tr ' ' :)"; \
	command -v initdb && command -v psql && command -v mariadbd && command -v mariadb-install-db && command -v my_print_defaults && command -v pgbouncer

# What the result of a test run depends on.
SOURCES = $(wildcard $(shell git ls-files --cached --others --exclude-standard -- \
	'*.go' '*go.mod' '*go.sum' 'go.work*' '*/testdata/*' 'examples/internal/demo/*' 2>/dev/null))

.PHONY: test
test: check-go redis memcached databases browser nginx ## all tests of all modules, and the smoke test (default)
	$(RUN_TESTS)
	@$(MAKE) --no-print-directory smoke

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: check-go ## start the demo application on Echo
	$(GO) run ./examples/echo5

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

# NEED is the recipe of a target that finds programs, or as root on Debian installs
# them without starting a service. Its arguments: a command that finds them, for what
# they are needed, packages of apt, those of brew, and a last line of the message.
define NEED
@have() { $(1); }; \
if ! have >/dev/null && [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; then \
	echo "Installing $(3): $(2)."; \
	export DEBIAN_FRONTEND=noninteractive; \
	made=; trap 'rm -f $$made' EXIT; \
	policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d; \
	[ -e $$policy ] || { made=$$policy; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; }; \
	case "$(3)" in *postgresql*) mkdir -p $$cluster; made="$$made $$cluster/satchel.conf"; \
		echo "create_main_cluster = false" >$$cluster/satchel.conf;; esac; \
	install() { apt-get install -y --no-install-recommends $(3); }; \
	install || { apt-get update && install; }; \
fi; \
if ! have >/dev/null; then \
	echo "$(2): the tests start it themselves. Install it with"; \
	echo "    sudo apt-get install $(3)    (Debian, Ubuntu)"; \
	echo "    brew install $(4)    (macOS)"; \
	$(5) \
	exit 1; \
fi
endef

.PHONY: redis
redis: ## find redis-server, which the tests start; as root on Debian, install it
	$(call NEED,command -v redis-server,Tests of stores need redis-server,redis-server,redis)

.PHONY: databases
databases: ## find PostgreSQL, MariaDB and PgBouncer in the same way
	$(call NEED,$(DATABASES),Tests of SQL stores need PostgreSQL and MariaDB and PgBouncer,postgresql mariadb-server-core mariadb-client-core pgbouncer,postgresql mariadb pgbouncer)

.PHONY: memcached
memcached: ## find Memcached in the same way
	$(call NEED,command -v memcached,Tests of stores need Memcached,memcached,memcached)

.PHONY: nginx
nginx: ## find nginx, behind which cookies are tested, in the same way
	$(call NEED,PATH="$$PATH:/usr/sbin" command -v nginx,A test of large cookies needs nginx,nginx-light,nginx)

.PHONY: browser
browser: ## find Chromium, in which the demo is tested, in the same way
	@[ -z "$$CHROMIUM" ] || command -v "$$CHROMIUM" >/dev/null || { echo "CHROMIUM is not the path of a browser: $$CHROMIUM"; exit 1; }
	$(call NEED,$(BROWSER),Tests of the demo need Chromium or a browser based on it,chromium,--cask chromium,echo "or set CHROMIUM to the path of such a browser.";)

# PYJWT finds a Python that can verify our JSON Web Tokens. The tests look for npm's jose
# in tmp/interop.
PYJWT = { python3 -c "import jwt, jwcrypto" || /usr/bin/python3 -c "import jwt, jwcrypto"; } 2>/dev/null

.PHONY: interop
interop: check-go ## fetch npm's jose and Python's jwcrypto and PyJWT, and try our JSON Web Tokens on them
	$(call NEED,command -v npm,Tokens are tried in JavaScript and need npm,npm,node)
	$(call NEED,$(PYJWT),Tokens are tried in Python and need PyJWT and jwcrypto,python3-jwcrypto python3-jwt,pyjwt,echo "    pip install pyjwt jwcrypto";)
	npm install --prefix tmp/interop --no-audit --no-fund --ignore-scripts --no-package-lock jose@$(JOSE_VERSION)
	SATCHEL_INTEROP=all $(GO) test -count=1 -run '^Test(OthersVerify|ServicesVerify)$$' ./core/jwtsealer ./examples/recipes

.PHONY: screenshots
screenshots: check-go browser ## take the README's images from the demo, into docs/images
	@mkdir -p docs/images
	cd examples && $(GO) test -count 1 -run '^TestScreenshots$$' ./browser -args -screenshots "$(CURDIR)/docs/images"

.PHONY: test-fast
test-fast: check-go redis memcached databases ## short tests, without the race detector
	$(GO) test -short work

.PHONY: race
race: check-go redis memcached databases browser nginx ## all tests, with the race detector
	$(GO) test -race work

# VERSIONS lists the modules of others that packages and their tests are built from.
VERSIONS = $(GO) list -deps -test -f '{{with .Module}}{{if not (or .Main .Replace)}}{{.Path}} {{.Version}}{{end}}{{end}}'

# AGAIN chooses the tests of modules that by themselves get the workspace's versions: all
# of these "make test" runs, with the race detector.
AGAIN ?= .

# The examples choose the workspace's versions, with which "make test" tests them.
.PHONY: test-modules
test-modules: check-go redis memcached databases ## short tests of each module on its own, as its users get it, and of the benchmarks
	@mkdir -p tmp; $(VERSIONS) work >tmp/versions
	@$(EACH_MODULE) \
		GOWORK=off $(GO) build ./... </dev/null; \
		GOWORK=off $(GO) vet ./... </dev/null; \
		run='$(AGAIN)'; ! GOWORK=off $(VERSIONS) ./... </dev/null | grep -qvxFf "$(CURDIR)/tmp/versions" || run=.; \
		case $$dir in */examples) ;; *) GOWORK=off $(GO) test -short -run "$$run" ./... </dev/null;; esac; \
	done
	cd bench && GOWORK=off $(GO) test . </dev/null

.PHONY: test-newest
test-newest: check-go ## each adapter with the newest version of its framework
	@mkdir -p tmp; set -e; for dir in *adapter; do \
		cp "$$dir/go.mod" tmp/newest.mod; cp "$$dir/go.sum" tmp/newest.sum; \
		(cd "$$dir"; export GOWORK=off; \
		framework=$$($(GO) list -m -f '{{if not (or .Main .Indirect .Replace)}}{{.Path}}{{end}}' all | grep -m 1 .); \
		$(GO) get -modfile ../tmp/newest.mod "$$framework@latest"; \
		$(GO) test -modfile ../tmp/newest.mod ./...); \
	done

.PHONY: test-fips
test-fips: check-go redis memcached databases ## core, stores and adapters under GODEBUG=fips140=only
	GODEBUG=fips140=only $(GO) test -short ./core/... ./core/gorillasessions/... ./core/gorillastore/... ./core/jwtsealer/... ./core/scsstore/... ./echoadapter/... ./echov5adapter/... ./ginadapter/... ./fiberadapter/... ./fiberv3adapter/... ./otelsatchel/... ./promsatchel/...
	GODEBUG=fips140=only $(GO) test -run '^Test(Store|StoreWithFakeClock|SEC.*|K1.*|FIPS.*)$$' ./core/goredisstore ./core/pgxstore

.PHONY: lint
lint: check-go $(GOLANGCI) ## golangci-lint in each module
	@$(EACH_MODULE) "$(CURDIR)/$(GOLANGCI)" run --config "$(CURDIR)/.golangci.yml" ./... </dev/null; done
	cd bench && GOWORK=off $(GO) vet ./...
	cd internal/chaos && GOWORK=off $(GO) vet ./...
	GOWORK=off $(GO) run $(ACTIONLINT) -color=false

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

tmp/test.json: $(SOURCES) | redis memcached databases browser nginx
	$(RUN_TESTS)

.PHONY: llms
llms: check-go ## write llms.txt, the documentation's index for language models
	$(GO) test -count=1 -run '^TestLLMs$$' ./internal/tools/house -args -update

.PHONY: smoke
smoke: check-go ## use the modules from outside, as if this state were tagged
	@scripts/smoke

.PHONY: tidy-check
tidy-check: check-go ## fail if "go mod tidy" would change a module
	@$(EACH_MODULE) GOWORK=off $(GO) mod tidy -diff </dev/null; done

.PHONY: tidy
tidy: check-go ## "go mod tidy" in each module
	@$(EACH_MODULE) GOWORK=off $(GO) mod tidy </dev/null; done

.PHONY: bench
bench: check-go redis memcached ## benchmarks; BENCH=regexp chooses
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem work

.PHONY: bench-peers
bench-peers: check-go redis memcached databases ## benchmarks beside other session libraries, ROUNDS (25) times
	@$(GO) run ./internal/tools/medians -dir bench -rounds $(ROUNDS) -benchtime $(BENCHTIME) -bench '$(BENCH)'

.PHONY: bench-growth
bench-growth: check-go redis memcached databases ## benchmarks of stores with up to SESSIONS (100000) sessions, ROUNDS (25) times
	@$(GO) run ./internal/tools/medians -dir bench -rounds $(ROUNDS) -benchtime $(BENCHTIME) -bench Growth -sessions $(SESSIONS)

# What it measures stays in tmp. NOTE is for the document, such as "The machine was busy."
.PHONY: bench-charts
bench-charts: ROUNDS = 5
bench-charts: BENCH = Session|InFlight
bench-charts: check-go redis memcached databases ## measure ROUNDS (5) times, and draw the figures of docs/benchmarks.md
	@mkdir -p tmp docs/images
	$(GO) run ./internal/tools/medians -dir bench -rounds $(ROUNDS) -benchtime $(BENCHTIME) -bench '$(BENCH)' >tmp/bench-peers.txt
	$(GO) run ./internal/tools/medians -dir bench -rounds $(ROUNDS) -benchtime $(BENCHTIME) -bench 'Growth|Capacity' -sessions $(SESSIONS) >tmp/bench-growth.txt
	$(GO) run ./internal/tools/charts -command 'make bench-charts ROUNDS=$(ROUNDS) BENCHTIME=$(BENCHTIME) SESSIONS=$(SESSIONS)' \
		-note '$(NOTE)' tmp/bench-peers.txt tmp/bench-growth.txt

# The comparison has many applications, which mostly wait.
COMPARE = cd bench && GOWORK=off $(GO) test -count=1 -parallel 24 ./compare

.PHONY: compare
compare: check-go redis ## Satchel beside other session libraries, into docs/comparison.md and the README
	$(COMPARE) -write

.PHONY: compare-check
compare-check: check-go redis ## fail if the comparison would come out otherwise
	$(COMPARE)

.PHONY: capacity
capacity: check-go redis memcached databases ## how much memory sessions take: SESSIONS (100000) in Redis, fewer beside other libraries
	cd core/goredisstore && SATCHEL_CAPACITY_SESSIONS=$(SESSIONS) $(GO) test -count=1 -timeout 60m -run TestCapacity -v .
	cd bench && GOWORK=off $(GO) test -run '^$$' -bench Capacity . -sessions $(SESSIONS)

# How test binaries report which branches an input has taken: those of all packages guide the
# fuzzer. To compile all of them anew takes longer than a short run.
GUIDED ?= -fuzz .

# Each package is built once for all its targets. What a run finds it leaves in testdata/fuzz.
.PHONY: fuzz
fuzz: check-go ## run each fuzz test for FUZZTIME (10s)
	@mkdir -p tmp/fuzz; set -e; grep -rl --include='*_test.go' '^func Fuzz' core examples internal *adapter | xargs -n 1 dirname | sort -u | while IFS= read -r dir; do \
		$(GO) test -c $(GUIDED) -o tmp/fuzz.test "./$$dir" </dev/null; \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$dir"/*_test.go | while IFS= read -r name; do \
			echo "--- $$dir $$name"; \
			(cd "$$dir" && "$(CURDIR)/tmp/fuzz.test" -test.run '^$$' -test.fuzz "^$$name\$$" -test.fuzztime $(FUZZTIME) \
				-test.fuzzminimizetime 100x -test.fuzzcachedir "$(CURDIR)/tmp/fuzz") </dev/null; \
		done; \
	done

# How many schedules the model test runs, and the seed of the first.
N ?= 1000000
SEED ?= $(shell date +%s)000000

.PHONY: torture
torture: check-go ## the model test with N (1000000) schedules from SEED on (new each time)
	$(GO) test -run '^TestModel(ClientSide)?$$' -count=1 -v -timeout 0 ./internal/testing/modeltest -args -schedules=$(N) -seed=$(SEED)

.PHONY: mutate
mutate: check-go ## break each promise, and see its test fail; MUTATIONS=regexp chooses
	@$(GO) run ./internal/tools/mutate -run '$(MUTATIONS)'

.PHONY: soak
soak: check-go ## the probe under load for DURATION (10m) in each framework; nothing may grow
	@$(GO) run ./internal/tools/soak -duration $(DURATION)

# What it measures stays in tmp. NOTE is for the document.
.PHONY: endurance
endurance: DURATION = 30m
endurance: SESSIONS = 1000000
endurance: check-go redis databases ## SESSIONS (1000000) begun and expired on each of four stores in DURATION (30m); nothing may grow
	@mkdir -p tmp docs/images
	@$(GO) run ./internal/tools/soak -sessions $(SESSIONS) -duration $(DURATION) -frameworks nethttp,gin,fiber3,echo5 \
		-stores memory,file,redis,postgres -workers 64 -o tmp/endurance.txt
	$(GO) run ./internal/tools/charts -endurance tmp/endurance.txt -doc docs/testing.md \
		-command 'make endurance SESSIONS=$(SESSIONS) DURATION=$(DURATION)' -note '$(NOTE)'

# The stores that make chaos runs, CHAOS_PARALLEL at a time; each is under load for DURATION.
CHAOS_STORES ?= memory,file,sqlite,memcached,redis-aof,redis,gorilla-redis,near,hybrid,sentinel,cluster,postgres,pgbouncer,mariadb
CHAOS_PARALLEL ?= 2
CHAOS_BROWSERS ?= 24
CHAOS_IDLE ?= 15s
CHAOS = cd internal/chaos && GOWORK=off $(GO) test -count=1 -v -timeout 0

.PHONY: chaos
chaos: check-go redis databases memcached ## probes, browsers and a referee under faults for DURATION (10m) on each of CHAOS_STORES
	@$(CHAOS) -parallel $(CHAOS_PARALLEL) -skip '^TestJudge$$' . -args -duration $(DURATION) -browsers $(CHAOS_BROWSERS) -idle $(CHAOS_IDLE) -stores $(CHAOS_STORES)

.PHONY: chaos-check
chaos-check: CHAOS_STORES = memory,redis-aof,near,cluster,postgres,memcached
chaos-check: ## the same on six of them, for 25 seconds each
	@$(MAKE) --no-print-directory chaos DURATION=25s CHAOS_PARALLEL=3 CHAOS_BROWSERS=12 CHAOS_STORES=$(CHAOS_STORES)

.PHONY: chaos-judge
chaos-judge: check-go redis memcached ## break promises, and see the referee of make chaos find it
	@$(CHAOS) -parallel 4 -run '^TestJudge$$' . -args -judge all

.PHONY: side-by-side
side-by-side: check-go redis memcached databases ## the last release and this version on one store of each kind
	@scripts/side-by-side

.PHONY: cover
cover: check-go redis memcached databases browser nginx ## test coverage, in tmp/cover.html
	@mkdir -p tmp
	$(GO) test -coverprofile=tmp/cover.out -coverpkg=work work
	@$(GO) tool cover -html=tmp/cover.out -o tmp/cover.html
	@$(GO) tool cover -func=tmp/cover.out | tail -n 1

.PHONY: apidiff
apidiff: check-go ## the exported API beside that of the last release
	@scripts/apidiff

# The database of advisories cannot be had everywhere.
.PHONY: vuln
vuln: check-go ## look for known vulnerabilities in what each module uses
	@$(EACH_MODULE) \
		found=$$(GOWORK=off $(GO) run $(GOVULNCHECK) ./... 2>&1 </dev/null) || { \
			case $$found in *"fetching vulnerabilities"*) \
				echo "vuln: left out, since the database of vulnerabilities cannot be reached"; exit 0;; esac; \
			echo "$$found"; exit 1; }; \
	done

.PHONY: release-check
release-check: check-go redis memcached databases ## try the release script on a copy
	@scripts/release-test

.PHONY: release
release: check-go ## tag all modules: make release VERSION=v0.1.0
	@scripts/release $(VERSION)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin tmp
