# `make demo` and `make test` do all of their own set-up; they need python3 and make, nothing else.
# The environment is .venv, or $TOOLKIT_VENV. Another Python: make test PYTHON=python3.12. More arguments: ARGS="…".
# Tests run in four processes side by side, as they often wait: make test JOBS=0 for one after the other.

PYTHON ?= python3
ARGS ?=
JOBS ?= 4
export TOOLKIT_VENV := $(or $(TOOLKIT_VENV),$(CURDIR)/.venv)
BIN := $(TOOLKIT_VENV)/bin
SETUP := @$(PYTHON) .ci/bootstrap.py --extras

PYTEST = @browser="$$("$(BIN)/python" .ci/browser.py)" && TOOLKIT_BROWSER="$$browser" "$(BIN)/python" -m pytest -n $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help demo test test-wide test-floors lint format js jscheck lab bench update clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

demo:  ## the tour on the built-in world, then the first notebook (ARGS="--no-lab" without it)
	$(SETUP) lab
	@"$(BIN)/toolkit" demo $(ARGS)

test: lint  ## lint, types and every test but the wide ones, in a real browser too (ARGS="-k grid tests/core")
	$(PYTEST) -m "not wide" $(ARGS)

test-wide:  ## what takes long: soaks, the house's tests on what CONTRIBUTING adds, whole benchmarks
	$(SETUP) lab,test
	$(PYTEST) -m wide $(ARGS)

test-floors:  ## the fast tests on the oldest versions that pyproject.toml allows (not in CI; about 3 GB, once)
	@$(PYTHON) .ci/bootstrap.py floors.py -n $(JOBS) $(ARGS)

lint:  ## style, format and types
	$(SETUP) lab,test
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/mypy"

format:  ## put the source in order
	$(SETUP) lab,test
	@"$(BIN)/ruff" check --fix .
	@"$(BIN)/ruff" format .

js:  ## the panels' scripts: types, style and format checked, then bundled (ARGS=--fix puts the format right)
	$(SETUP) js
	@"$(BIN)/python" .ci/js.py $(ARGS)

jscheck:  ## the same without writing: a stale bundle is an error
	$(SETUP) js
	@"$(BIN)/python" .ci/js.py --check

lab:  ## JupyterLab on the notebooks
	$(SETUP) lab
	@"$(BIN)/jupyter" lab $(ARGS) notebooks

bench:  ## the numbers of the design (ARGS="decompose --json")
	$(SETUP) lab
	@"$(BIN)/toolkit" bench $(or $(ARGS),decompose)

update:  ## the newest versions, everything CI does on them, and constraints.txt if it passes (an hour)
	@$(PYTHON) .ci/bootstrap.py update.py $(ARGS)

clean:  ## remove caches, build products and demo output; the environment stays
	@rm -rf build dist demo-output node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . \( -path ./.venv -o -path ./node_modules \) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
