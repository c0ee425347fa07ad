# make demo, make test: everything on a fresh machine with Python >= 3.11 and nothing else.
# Tests run on all cores, a file at a time each, in the order of their names: by default files of
# few tests come last, and among them are the longest.
# The virtual environment is made once, in .venv; PYTHON chooses the interpreter.
SHELL := /bin/bash
VENV ?= .venv
RUN := $(VENV)/bin/python
# What is installed there: the library and what `make lint` and every test need.
NEEDS ?= .[dev]

# The first interpreter that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help demo figures docs test test-all test-short coverage bench audit mutants proofs notebooks \
	lint hooks clean

help:
	@echo "make demo    train under attack and draw the picture (a few minutes)"
	@echo "make figures every figure at its smallest scale, and a page that shows them"
	@echo "make docs    the site, into docs/_build/html"
	@echo "make test    the tests"
	@echo "make test-all  the same, with every case of the long tables"
	@echo "make test-short  a short subset, in one process"
	@echo "make coverage  lines and branches that the tests reach, into coverage.txt and .json"
	@echo "make bench   timings, side by side"
	@echo "make audit   every claim of the theory against every engine; ARGS=--quick for less"
	@echo "make mutants   planted errors and who notices them, into tests/theory/MUTANTS.md"
	@echo "make proofs   find the certificates of the theory anew (minutes)"
	@echo "make notebooks  run the notebooks, and store what they show"
	@echo "make lint    ruff and mypy"
	@echo "make hooks   lint before every commit, by pre-commit"
	@echo "make clean   remove the environment, caches and results"

# Installed anew whenever the requirements change.
$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 found; set PYTHON=/path/to/python"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable $(NEEDS)
	@touch $@

demo: $(VENV)/.installed
	$(RUN) -m paper_figs rosdhb_fig1 --quick

figures: $(VENV)/.installed
	$(RUN) -m paper_figs all --quick --processes 2 $(ARGS)

# Sphinx and what it needs, without the library: that is installed, and two installs of one folder
# at a time meet in its egg-info.
$(VENV)/.installed-docs: pyproject.toml | $(VENV)/.installed
	$(RUN) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' \
		| xargs $(RUN) -m pip install --quiet --disable-pip-version-check
	@touch $@

# Warnings are errors; so are a link that leads nowhere and a public name without a description.
docs: $(VENV)/.installed $(VENV)/.installed-docs
	$(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html $(ARGS)
	PYTHONPATH=docs:. $(RUN) -m build_steps.check docs/_build/html
	@echo "docs/_build/html/index.html"

test: $(VENV)/.installed
	$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

# Compiled as users do; the other targets compile in a third of that time (tests/conftest.py).
test-all: $(VENV)/.installed
	XLA_FLAGS="$(XLA_FLAGS) --xla_backend_optimization_level=3" $(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "long or not long" $(ARGS)

# In one process: the subset takes less time than to find all tests once more for every core.
test-short: $(VENV)/.installed
	$(RUN) -m pytest -m "short and not long" $(ARGS) $$(grep -rl mark.short tests)

coverage: $(VENV)/.installed
	$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=json:coverage.json --cov-report= $(ARGS)
	$(RUN) -m coverage report > coverage.txt && tail -n 1 coverage.txt

bench: $(VENV)/.installed
	$(RUN) -m tests.benchmarks $(ARGS)

audit: $(VENV)/.installed
	$(RUN) -m jaxbyz.theory $(ARGS)

mutants: $(VENV)/.installed
	PYTHONPATH=tests $(RUN) -m mutants > tests/theory/MUTANTS.partial
	mv tests/theory/MUTANTS.partial tests/theory/MUTANTS.md

proofs: $(VENV)/.installed
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable .[sdp]
	$(RUN) -m jaxbyz.theory.proofs $(ARGS)

notebooks: $(VENV)/.installed
	$(RUN) tests/notebook_runs.py

lint: $(VENV)/.installed
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

hooks: $(VENV)/.installed
	$(RUN) -m pre_commit install

clean:
	rm -rf docs/_build docs/gallery docs/notebooks docs/reference docs/tables
	rm -rf $(VENV) .jax_cache .pytest_cache .ruff_cache .mypy_cache paper_figs/results \
		"$${XDG_CACHE_HOME:-$$HOME/.cache}/jaxbyz-tests" .coverage coverage.txt coverage.json
