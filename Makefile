# The daily verbs; `make help` lists them. They need Python 3.11 or newer, a C compiler and make, nothing else:
# every verb makes the environment it runs in. Pass options to pytest with ARGS="-k words".
#
# The sanitizer and debug builds live in environments of their own (.venv-asan, .venv-debug), installed and not editable:
# an editable environment would quietly import the release build of the checkout instead.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
ARGS ?=
STEPS ?= 1000000
export MMBT_JOBS = $(JOBS)

.PHONY: help demo test test-slow build lint bench docs asan debug mutants coverage fuzz soak kill kill-training packaging differential \
	instructions determinism annotate clean

help: ## list the verbs
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

$(VENV)/installed: pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "mmbt needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --upgrade pip 'setuptools>=77' 'cython>=3.1'
	$(BIN)/python -m pip install -qq --no-build-isolation --editable '.[all]'
	touch $@

build: $(VENV)/installed ## compile what changed
	$(BIN)/python setup.py --quiet build_ext --inplace

demo: build ## convert the sample, train on it for half a minute, and backtest what was learned
	$(BIN)/mmbt convert raw-data
	$(BIN)/mmbt train -S steps=100000
	$(BIN)/mmbt backtest --strategy dqn

test: build ## the whole suite but the slow tests
	$(BIN)/pytest -m "not slow" -n $(JOBS) --dist worksteal $(ARGS)

test-slow: build ## the slow tests too
	$(BIN)/pytest -n $(JOBS) $(ARGS)

lint: build ## ruff, cython-lint, mypy --strict, stubtest
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint cysim src  # it calls pycodestyle by name
	$(BIN)/mypy
	$(BIN)/python tools/stubs.py

annotate: $(VENV)/installed ## no Python operation in the hot bodies of the machine
	$(BIN)/python tools/annotate.py

bench: build ## what we claim about speed, measured here
	$(BIN)/python -m benchmarks $(ARGS)

docs: build ## the documentation, in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

differential: build ## engine against the slow reference, STEPS event steps
	MMBT_DIFF_STEPS=$(STEPS) $(BIN)/pytest -q -n $(JOBS) tests/differential $(ARGS)

fuzz: build ## the hypothesis tests with many more examples, from a random start
	MMBT_HYPOTHESIS=fuzz $(BIN)/pytest -q -n $(JOBS) -m hypothesis $(ARGS)

soak: build ## memory stays flat and money exact over a long replay
	$(BIN)/python tools/soak.py

kill: build ## kill -9 the converter a thousand times at random moments
	$(BIN)/pytest -q -n $(JOBS) tests/faults/test_store_kill.py $(ARGS)

kill-training: build ## kill -9 a training at twenty random moments, on a model and on the sample, and resume it
	$(BIN)/python tools/kill_training.py $(ARGS)

packaging: build ## wheel and sdist are complete, in clean environments
	$(BIN)/pytest -q tests/packaging $(ARGS)

mutants: build ## planted bugs, each of which the suite must catch
	$(BIN)/python tools/mutants.py --jobs $(JOBS) $(ARGS)

determinism: build ## one table of digests on builds of every kind
	$(BIN)/python tools/determinism.py --jobs $(JOBS) $(ARGS)

instructions: build ## instructions per event, against the stored baseline and ten times later
	$(BIN)/python tools/instructions.py $(ARGS)

# The environment of a checked build, with the tree installed as it is now.
define checked_venv
	@test -x .venv-$(1)/bin/python || $(PYTHON) -m venv .venv-$(1)
	.venv-$(1)/bin/python -m pip install -qq --upgrade pip 'setuptools>=77' 'cython>=3.1' pytest pytest-xdist hypothesis ruff
	MMBT_BUILD=$(1) .venv-$(1)/bin/python -m pip install -qq --no-build-isolation .
endef

asan: $(VENV)/installed ## the suite under AddressSanitizer and UndefinedBehaviorSanitizer
	$(call checked_venv,asan)
	.venv-asan/bin/python tools/checked.py asan $(ARGS)

debug: $(VENV)/installed ## the suite with bounds checks and trapping overflow
	$(call checked_venv,debug)
	.venv-debug/bin/python tools/checked.py debug $(ARGS)

coverage: build ## which lines of the Python code the suite runs
	$(BIN)/pytest -q -m "not slow" -n $(JOBS) --cov=mmbt --cov-report=term-missing:skip-covered $(ARGS)

clean: ## remove what was built, the environments included
	rm -rf build dist .venv .venv-* docs/_build .pytest_cache .hypothesis .mypy_cache .ruff_cache *.egg-info src/*.egg-info
	find cysim src \( -name '*.so' -o -name '*.html' -path '*cysim*' -o -name __pycache__ \) -prune -exec rm -rf {} +
