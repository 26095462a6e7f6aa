# `make demo` and `make test` work as the first command after a clone:
# they need Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all check lint versions clean

demo: $(READY)  ## teacher, students and .tflite files, each measured
	$(BIN)/keras-kd demo --out runs/demo

test: check  ## everything that CI runs
	$(BIN)/pytest -m "not slow" -n 2

test-all: check  ## the slow tests too
	$(BIN)/pytest -n 2

check: lint $(READY)  ## style, dependencies, architecture, import contract
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/test_architecture.py

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
	touch $(READY)
