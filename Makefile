# `make demo` and `make test` work as the first command after a clone:
# they need Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Tests to run, by paths: make test TESTS=tests/losses
TESTS ?=
WORKERS ?= 2
# Each worker keeps to neighbouring tests, which share models and files.
PYTEST := $(BIN)/pytest $(TESTS) -n $(WORKERS) --dist worksteal

.PHONY: demo test test-all test-slow test-release check lint imports versions clean

demo: $(READY)  ## teacher, students and .tflite files, each measured
	$(BIN)/keras-kd demo --out runs/demo

test: lint imports  ## before every commit: minutes
	$(PYTEST) -m "not slow and not release"

test-all: test test-slow  ## everything that CI runs

test-slow: $(READY)  ## every product of parameters, kills, examples
	$(PYTEST) -m "slow and not release"

test-release: $(READY)  ## before a release, by hand: hours
	$(PYTEST) -m release

check: lint imports  ## style, dependencies, architecture, import contract
	$(BIN)/pytest -q tests/test_architecture.py

imports: $(READY)
	$(BIN)/lint-imports --no-cache

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry keras_kd examples

versions: $(READY)  ## a sample of the tests on the lowest, newest and nightly versions
	$(BIN)/python versions/try_versions.py

clean:
	rm -rf $(VENV) runs build *.egg-info

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "keras_kd needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	: > $(READY)
