# `make run` builds and starts the server with its Web-App; `make test` runs all tests.

DATA_DIR ?=
SDK := tests/sdk/.venv
OPENAPI := tests/openapi/.venv

.PHONY: run build web test lint test-rust test-web test-cluster test-replicas test-faults test-sdk test-openapi test-browser test-deploy bench clean
.NOTPARALLEL:

run: build
	target/release/clearml-server $(if $(DATA_DIR),--data-dir $(DATA_DIR))

build: prepare-run web
	cargo build --release --locked -p clearml-server

prepare-%:
	@.ci/prepare $*

web: web/node_modules/.package-lock.json
	npm --prefix web run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	npm --prefix web ci --no-audit --no-fund --loglevel=error

test: prepare-test lint test-web test-rust test-cluster test-faults test-sdk test-openapi test-browser test-deploy

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-rust:
	cargo test --workspace --locked

# The suites of the stores and of the API on MongoDB, Elasticsearch and Redis.
CLUSTER := CLEARML_MONGODB_URL CLEARML_ELASTIC_URL CLEARML_REDIS_URL
test-cluster:
	@for variable in $(CLUSTER); do eval "test -n \"\$$$$variable\"" && continue; \
	  echo "skipped: the tests on the cluster's stores. For them set $(CLUSTER), for example to" \
	    "mongodb://127.0.0.1:27017, http://127.0.0.1:9200, redis://127.0.0.1:6379/0."; exit 0; done; \
	set -ex; \
	cargo test --locked -p clearml-documents --test mongo; \
	cargo test --locked -p clearml-events --test elastic; \
	cargo test --locked -p clearml-state --test redis; \
	cargo test --locked -p clearml-transfer --test cluster; \
	CLEARML_TEST_STORES=cluster cargo test --locked -p clearml-apiserver --test api

# Replicas on the cluster's stores, and the SDK's suite on them (tests/cluster/README.md); not yet part of `make test`.
test-replicas: $(SDK)/installed
	cargo build --locked --workspace --bins
	target/debug/clearml-cluster all
	cd tests/sdk && CLEARML_SDK_CLUSTER=$(CURDIR)/target/debug/clearml-cluster \
	  CLEARML_SERVER_BINARY=$(CURDIR)/target/debug/clearml-server .venv/bin/pytest -n 3 --dist worksteal

test-web: web/node_modules/.package-lock.json
	npm --prefix web run --silent lint
	npm --prefix web test --silent
	npm --prefix web run --silent build

# The suites below drive a built server: the debug build, which the tests above have built most of.
target/debug/clearml-server: FORCE
	cargo build --locked -p clearml-server

# Killed at any moment, bad input, a full disk.
test-faults: target/debug/clearml-server
	cargo run --quiet --locked -p clearml-faults -- --server $< all

$(SDK)/installed: tests/sdk/requirements.txt
	python3 -m venv $(SDK)
	$(SDK)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

test-sdk: target/debug/clearml-server $(SDK)/installed
	cd tests/sdk && CLEARML_SERVER_BINARY=$(CURDIR)/$< .venv/bin/pytest -n 3 --dist worksteal

$(OPENAPI)/installed: tests/openapi/requirements.txt
	python3 -m venv $(OPENAPI)
	$(OPENAPI)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The description of the API: valid, and true of what the server answers to inputs that schemathesis makes from it.
test-openapi: target/debug/clearml-server $(OPENAPI)/installed
	cd tests/openapi && CLEARML_SERVER_BINARY=$(CURDIR)/$< .venv/bin/pytest -q

tests/web/node_modules/.package-lock.json: tests/web/package-lock.json
	npm --prefix tests/web ci --no-audit --no-fund --loglevel=error

test-browser: target/debug/clearml-server tests/web/node_modules/.package-lock.json
	cd tests/web && npx tsc --noEmit && CLEARML_SERVER_BINARY=$(CURDIR)/$< npm test --silent

# Manifests, chart, compose files and Dockerfile, with the tools that are there; says what it skips (tests/deploy).
test-deploy: target/debug/clearml-server $(SDK)/installed
	CLEARML_SERVER_BINARY=$(CURDIR)/$< $(SDK)/bin/pytest -q -n 2 -rs tests/deploy

# Speed and weight, see tests/bench/README.md; not part of the tests.
bench:
	cargo build --release --locked -p clearml-server -p clearml-bench
	for bench in start events tasks histogram files; do target/release/clearml-bench $$bench || exit 1; done

clean:
	rm -rf target web/dist web/node_modules tests/web/node_modules $(SDK) $(OPENAPI)

FORCE:
