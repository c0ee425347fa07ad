# make demo, make test: everything on a fresh machine with Python >= 3.11 and nothing else.
# Tests run on all cores, a file at a time each.
# The virtual environment is made once, in .venv; PYTHON chooses the interpreter.
SHELL := /bin/bash
VENV ?= .venv
RUN := $(VENV)/bin/python

# The first interpreter that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help demo test test-all bench audit mutants lint hooks clean

help:
	@echo "make demo    train under attack and draw the picture (a few minutes)"
	@echo "make test    the tests"
	@echo "make test-all  the same, with every case of the long tables"
	@echo "make bench   timings, side by side"
	@echo "make audit   every claim of the theory against every engine; ARGS=--quick for less"
	@echo "make mutants   planted errors and who notices them, into tests/theory/MUTANTS.md"
	@echo "make lint    ruff and mypy"
	@echo "make hooks   lint before every commit, by pre-commit"
	@echo "make clean   remove the environment, caches and results"

# Installed anew whenever the requirements change.
$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 found; set PYTHON=/path/to/python"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(VENV)/.installed
	$(RUN) -m paper_figs fig1 --quick

test: $(VENV)/.installed
	$(RUN) -m pytest -n auto --dist loadfile $(ARGS)

# With LLVM's usual optimisations; `make test` compiles with its first level, in 3/4 of the time.
test-all: $(VENV)/.installed
	XLA_FLAGS="$(XLA_FLAGS) --xla_backend_optimization_level=3" $(RUN) -m pytest -n auto --dist loadfile -m "long or not long" $(ARGS)

bench: $(VENV)/.installed
	$(RUN) -m tests.benchmarks $(ARGS)

audit: $(VENV)/.installed
	$(RUN) -m jaxbyz.theory $(ARGS)

mutants: $(VENV)/.installed
	PYTHONPATH=tests $(RUN) -m mutants > tests/theory/MUTANTS.partial
	mv tests/theory/MUTANTS.partial tests/theory/MUTANTS.md

lint: $(VENV)/.installed
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

hooks: $(VENV)/.installed
	$(RUN) -m pre_commit install

clean:
	rm -rf $(VENV) .jax_cache .pytest_cache .ruff_cache .mypy_cache paper_figs/results
