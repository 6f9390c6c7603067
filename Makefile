# make demo       a fresh environment, then one spec from text to predictions with ONNX Runtime, on real data
# make test       formatting, lint, types, import contracts and the tests (six minutes on two cores at rest)
# make test-full  the same tests at full size; writes benchmarks/results/full.json
# make references compares the shipped specs with public implementations; writes docs/references.md
# make format     formats the code

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# the first Python from 3.11 on; say `make test PYTHON=python3.13` for another
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# additional pip arguments, e.g. PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_ARGS ?=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

# torch and BLAS take one thread in a test process: pytest runs $(WORKERS) of them side by side
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
TIMED = report() { printf '\ninstall %d.%d min, run %d.%d min\n' $$((($$2 - $$1) / 60)) $$((($$2 - $$1) % 60 / 6)) \
  $$((($$3 - $$2) / 60)) $$((($$3 - $$2) % 60 / 6)); }

.PHONY: demo test test-full check format-check lint types contracts pytest references format env-core env-test \
  env-references clean

demo:
	@$(TIMED); t0=$$(date +%s); $(MAKE) env-core; t1=$$(date +%s); \
	PATH="$(abspath $(BIN)):$$PATH" bash benchmarks/demo.sh; t2=$$(date +%s); report $$t0 $$t1 $$t2

test:
	@$(TIMED); t0=$$(date +%s); $(MAKE) env-references; t1=$$(date +%s); failed=0; \
	$(MAKE) -k check pytest || failed=1; t2=$$(date +%s); report $$t0 $$t1 $$t2; exit $$failed

test-full:
	@$(TIMED); t0=$$(date +%s); $(MAKE) env-references; t1=$$(date +%s); failed=0; \
	$(MAKE) -k check pytest SIZE=--full || failed=1; t2=$$(date +%s); report $$t0 $$t1 $$t2; exit $$failed

check: format-check lint types contracts

format-check:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/pyright --pythonpath $(BIN)/python

contracts:
	$(BIN)/lint-imports --no-cache

pytest:
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --durations 20 $(SIZE)

format: env-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

references: env-references
	$(BIN)/python -m tests.references

env-core: $(VENV)/.core
env-test: $(VENV)/.test
env-references: $(VENV)/.references

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found; say make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.core

# without dependencies, outside the path: beside a CPU build of torch their presence alone breaks other imports
$(VENV)/.references: $(VENV)/.test constraints-references.txt
	rm -rf $(VENV)/references
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/references \
	  -r constraints-references.txt $(PIP_ARGS)
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
