# Two commands to begin with: `make demo` and `make test`. Each target sets up what it needs in .venv.
# Another Python:  make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready
CORES ?= $(shell nproc)
SLOW := $(BIN)/python -m pytest -m "slow and not nightly"
APART := tests/kill tests/demo tests/packaging
RECKONING := tests/simulate tests/policy tests/shell/test_almanac.py

# Started programs keep their compiled modules, as installed ones do: measured start times are then a user's.
unexport PYTHONDONTWRITEBYTECODE
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help demo test test-quick test-slow test-waiting test-reckoning test-measuring test-packaging test-wheels lint format bench mutants nightly lock wheels setup clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: $(READY) ## watch a house lose the grid, about a minute (DEMO="--fast" for 20 s)
	$(BIN)/pimgr demo $(DEMO)

test: test-quick test-slow ## the whole suite: the quick tests, then kill loops and wheels (TESTS="-k word" narrows)

test-quick: $(READY)
	$(BIN)/python -m pytest -m "not slow and not nightly" -n $(CORES) $(TESTS)

# What mostly waits does so side by side; what only reckons, or builds, has the time that it leaves and makes nobody late.
# What measures itself (kill loops, the demo), and what builds in this folder, are apart from all others.
test-slow: $(READY)
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-waiting test-reckoning
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-measuring test-packaging

test-waiting: $(READY)
	$(SLOW) -n $$((2 * $(CORES))) --dist loadfile --durations=10 $(addprefix --ignore=,$(APART) $(RECKONING)) $(TESTS)

test-reckoning: $(READY)
	nice -n 19 $(SLOW) --timeout=1500 -n $(CORES) --durations=5 $(RECKONING) $(TESTS)

test-measuring: $(READY)
	$(SLOW) --durations=5 tests/kill tests/demo $(TESTS)

test-packaging: $(READY)
	nice -n 19 $(SLOW) --timeout=1500 --durations=5 tests/packaging $(TESTS)

test-wheels: $(READY) ## only: wheels of everything install into an empty venv
	$(BIN)/python -m pytest tests/packaging $(TESTS)

lint: $(READY) ## style, and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## put the style right where a machine can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(READY) ## measure what README promises; writes build/bench.json
	mkdir -p build
	$(BIN)/python bench/run.py $(BENCH)

mutants: $(READY) ## remove each commit, read-back and deadline in turn: every removal must be caught
	$(BIN)/python tests/mutants/run.py $(MUTANTS)

nightly: $(READY) ## what takes longer than CI may
	PIMGR_KILLS=2000 $(BIN)/python -m pytest -m "slow or nightly" --timeout=7200 --durations=20 $(TESTS)
	$(BIN)/python tests/mutants/run.py --slow

lock: $(VENV)/.locked ## renew the hash-locked dependencies (KEEP=1: only add what is missing)
	$(BIN)/python tools/lock.py $(if $(KEEP),--keep)

wheels: $(READY) ## wheels of pimgr and its plugins, into dist/
	$(BIN)/python tools/wheels.py dist

setup: $(READY) ## only set up .venv

clean: ## remove what was made here
	rm -rf build dist .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info plugins/*/*.egg-info

# Build tools first, from their own lock, so that what exists only as source is built without an unhashed download.
$(VENV)/.locked: lock/build.lock lock/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pimgr needs Python 3.11 or newer; see PYTHON= in the Makefile")'
	@echo "setting up $(VENV), a minute or two ..."
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes --no-deps -r lock/build.lock
	$(PIP) install --quiet --require-hashes --no-deps --no-build-isolation -r lock/dev.lock
	touch $@

$(READY): $(VENV)/.locked pyproject.toml $(PLUGINS:=/pyproject.toml)
	PYTHONWARNINGS=ignore $(PIP) install --quiet --no-index --no-deps --no-build-isolation -e . $(addprefix -e ./,$(PLUGINS))
	$(PIP) check
	touch $@
