# Two commands do everything on a fresh machine: make demo, make test. Each installs what it needs first.
.PHONY: help package demo test soak fuzz-control screenshots test-fresh check format lock bench bench-main bench-faces bench-tic bench-outbox fuzz clean docs
.DEFAULT_GOAL := help

VENV := .venv
BIN  := $(VENV)/bin

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.demo: lock/demo.txt pyproject.toml .ci/setup
	@.ci/setup demo

$(VENV)/.test: lock/test.txt lock/oracle.txt lock/demo.txt hil_tests/contract/package-lock.json pyproject.toml .ci/setup
	@.ci/setup test

demo: $(VENV)/.demo  ## a building metered, cut off, recovering, shedding load: two minutes (DEMO_FAST=1: one)
	@$(BIN)/python -m hil_tests.demo

# Real processes on a shared machine: a test that fails is tried once more, three in all, and the first failure is shown
# in full (R). Never one that found data missing, and none of these in the long proofs.
ONCE_MORE := --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks --rerun-except '^Lost:'

test: check  ## every test, two files at a time (runs check first)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ONCE_MORE)

soak: $(VENV)/.test  ## the long proofs: hundreds of kills and power cuts, a dying card (root, for the cuts)
	@$(BIN)/python -m buffer.tests.card
	@$(BIN)/python -m pytest -m soak -n 2 -rs

fuzz-control: $(VENV)/.test  ## requests of every kind to the control socket, for minutes, others each time (FUZZ_SEED=n: those again)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-1500} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} $(BIN)/python -m pytest hil_tests/test_control_fuzz.py

fuzz: $(VENV)/.test  ## the TIC's decoders, a minute guided by coverage (FUZZ_SECONDS=n; FUZZ_REPLAY=file: one input again)
	@$(BIN)/python -m hil_tests.fuzz

test-box: $(VENV)/.test  ## the package in a clean Debian 12 with its own systemd (root, mmdebstrap, systemd-nspawn)
	@BOX_REQUIRED=1 $(BIN)/python -m pytest hil_tests/box

screenshots: $(VENV)/.test  ## the pictures of the guides, docs/screenshots, taken by the tests of the page
	@$(BIN)/python -m hil_tests.page.screenshots

test-fresh:  ## demo and tests on fresh Debian 12 and 13 (root; FRESH_RUN and more: see hil_tests/fresh_machine.sh)
	@hil_tests/fresh_machine.sh

check: $(VENV)/.test  ## ruff, mypy strict, import-linter, and that the documents do not lie
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q gateway/cli/tests/test_docs.py config/tests/test_example.py

format: $(VENV)/.test  ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: bench-main bench-faces bench-tic bench-outbox  ## every benchmark, as JSON lines

bench-main: $(VENV)/.demo  ## memory, CPU and start-up of the agent in the demo's building
	@$(BIN)/python -m hil_tests.benchmarks.main

bench-faces: $(VENV)/.demo  ## time, memory and weight of the command line and the page, beside the demo's building
	@$(BIN)/python -m hil_tests.benchmarks.faces

bench-tic: $(VENV)/.test  ## the TIC: groups kept, wrong values, speed beside PyPI's readers, CPU, changes of mode (4 minutes)
	@$(BIN)/python -m hil_tests.benchmarks.tic

bench-outbox: $(VENV)/.test  ## storing, sealing, sending and draining beside others, on one trace (15 minutes; root for the bytes on the disk; BENCH_DAYS=2: less)
	@$(BIN)/python -m hil_tests.benchmarks.outbox $(BENCH_ONLY:%=--only %)

package: $(VENV)/.demo  ## dist/*.deb for Debian 12, amd64 and arm64: self-contained, reproducible
	@systemd/package/build.sh

docs: $(VENV)/.test  ## docs/linky.md and docs/contract/examples, from the code
	@$(BIN)/python -m hil_tests.linky_table > docs/linky.md
	@$(BIN)/python -m hil_tests.contract.examples

lock: $(VENV)/.test  ## renew the lock files (needs the network)
	@.ci/lock

clean:  ## forget everything that set-up made
	rm -rf $(VENV) build dist
