# One command per intention. `make` alone prints this help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_ARGS ?=

.PHONY: help setup lock fmt lint types test test-fast test-db test-cluster generate verify cluster cluster-down image demo demo-local bench bench-source bench-write test-long mutation clean

help:  ## print this help
	@awk 'BEGIN {FS = ":.*## "; printf "TrackSync: make TARGET\n\n"} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@echo "setup: virtual environment in $(VENV) from requirements.lock (hashes checked)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "The venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP)  ## make the virtual environment (.venv); every other target calls this when needed

lock: $(STAMP)  ## resolve the lock files anew: all, the operator's, the benchmark's peers (releases at least a week old)
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes --python-version 3.11 \
	  --exclude-newer "$$(date -u -d '7 days ago' +%F)" --no-header --no-annotate --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
	  --exclude-newer "$$(date -u -d '7 days ago' +%F)" --no-header --no-annotate --quiet -c requirements.lock -o operator/requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group bench --universal --generate-hashes --python-version 3.11 \
	  --exclude-newer "$$(date -u -d '7 days ago' +%F)" --no-header --no-annotate --quiet -c requirements.lock -o tests/benchmarks/requirements.lock

fmt: $(STAMP)  ## format the code
	$(BIN)/ruff format operator tests
	$(BIN)/ruff check --fix --select I operator tests

lint: $(STAMP)  ## ruff (all rules) and the layer contracts
	$(BIN)/ruff check operator tests
	$(BIN)/ruff format --check operator tests
	$(BIN)/lint-imports --no-cache

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

test: $(STAMP)  ## every level this machine can run; sets the machine up first; ends with a table of levels
	@if $(BIN)/python -m tests.cluster possible; then \
	  $(BIN)/python -m tests.cluster up && $(BIN)/python -m tests.cluster image --load; fi
	$(BIN)/python -m pytest $(TEST_ARGS)

test-fast: $(STAMP)  ## levels 0 to 4: no database, no cluster
	$(BIN)/python -m pytest --levels=0-4 $(TEST_ARGS)

test-db: $(STAMP)  ## level 5: a real PostgreSQL
	$(BIN)/python -m pytest --levels=5 $(TEST_ARGS)

test-cluster: $(STAMP)  ## levels 6 and 7: a real cluster
	$(BIN)/python -m tests.cluster up
	$(BIN)/python -m tests.cluster image --load
	$(BIN)/python -m pytest --levels=6-7 $(TEST_ARGS)

generate: $(STAMP)  ## write the generated files: CRDs, manifests, reference of the command line
	$(BIN)/tracksync admin crd --output-dir crds
	$(BIN)/tracksync admin docs --output-dir docs/reference
	$(BIN)/tracksync admin install --image tracksync.local/tracksync:dev > manifests/install.yaml

verify: $(STAMP)  ## regenerate, then lint and type-check, then fail on any difference
	@$(MAKE) --no-print-directory generate
	@$(MAKE) --no-print-directory lint types
	@git diff --exit-code -- crds manifests docs/reference || { echo "verify: generated files differ from what is committed: commit the result of 'make generate'"; exit 1; }
	@untracked=$$(git ls-files --others --exclude-standard -- crds manifests docs/reference); \
	  test -z "$$untracked" || { echo "verify: generated files are not committed:"; echo "$$untracked"; exit 1; }
	@echo "verify: ok"

cluster: $(STAMP)  ## a real Kubernetes: kind where Docker answers, else the real components as processes
	$(BIN)/python -m tests.cluster up

cluster-down: $(STAMP)  ## stop the cluster and remove all of it
	$(BIN)/python -m tests.cluster down

image: $(STAMP)  ## build the image and load it into the cluster
	$(BIN)/python -m tests.cluster image --load

demo: $(STAMP)  ## the whole path on a real cluster (or, where none can be had, on this machine)
	$(BIN)/python -m tests.demo

demo-local: $(STAMP)  ## the same sync on this machine alone: embedded PostgreSQL and the simulator
	$(BIN)/python -m tests.demo --local

bench: $(STAMP)  ## all benchmarks, with those on the cluster; print ratios against a peer in the same run
	@failed=0; $(MAKE) --no-print-directory bench-source || failed=1; $(BIN)/python -m tests.benchmarks || failed=1; exit $$failed

bench-source: $(STAMP)  ## benchmarks of the source side, no cluster; OUT=file.json, FULL=1, ONLY="name ..", ROUNDS=n, TRACKS=n
	$(BIN)/python -m tests.benchmarks.source_main $(if $(OUT),--out $(OUT)) $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(TRACKS),--tracks $(TRACKS))

$(VENV)/.bench-installed: tests/benchmarks/requirements.lock $(STAMP)
	@echo "bench-write: installing the peers from tests/benchmarks/requirements.lock (hashes checked)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/benchmarks/requirements.lock
	@touch $@

bench-write: $(VENV)/.bench-installed  ## the write path beside COPY, the plan's way and dlt; N=rows, OUT=file.json, ROUNDS=n, ONLY="name ..", DOCS=1
	$(BIN)/python -m tests.benchmarks.write_main $(if $(N),--rows $(N)) $(if $(OUT),--out $(OUT)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(DOCS),--docs) $(if $(EMBEDDED),--embedded) $(if $(FULL_PAGE_WRITES),--full-page-writes $(FULL_PAGE_WRITES)) \
	  $(if $(CHECKPOINTS),--checkpoints $(CHECKPOINTS))

test-long: $(STAMP)  ## long forms: 1,500 generated histories, a million ledger items, 2,000 fuzz examples, mutation testing (an hour)
	TRACKSYNC_TEST_HISTORIES=20 $(BIN)/python -m pytest tests/histories $(TEST_ARGS)
	TRACKSYNC_TEST_HISTORY_ITEMS=1000000 $(BIN)/python -m pytest tests/database/test_history.py $(TEST_ARGS)
	TRACKSYNC_TEST_FUZZ_EXAMPLES=2000 $(BIN)/python -m pytest tests/web/test_fuzz.py $(TEST_ARGS)
	$(MAKE) --no-print-directory mutation

mutation: $(STAMP)  ## mutation testing of the parser package: how many faults its tests find (a quarter of an hour)
	nice $(BIN)/python -m tests.mutation

clean:  ## remove caches and build results (not the cluster: make cluster-down)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
