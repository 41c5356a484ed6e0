# make demo: all of it on the built-in digits.  make test: what CI runs.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m wcgan_tf

.PHONY: help demo test torture audit lint clean

help:
	@echo "make demo   the whole pipeline on the built-in digits, to a report (a few minutes on 2 cores)"
	@echo "make test   ruff, the type check and pytest"
	@echo "make torture  kill the programs at every change of a file, and more (an hour or more; docs/reliability.md)"
	@echo "make audit  asks for known weaknesses of the installed packages (pip-audit; needs the network)"
	@echo "make lint   ruff and the type check"
	@echo "make clean  delete .venv and what the demo wrote (data/digits-8, runs/digits, saved_models/digits)"

demo: .venv/installed
	$(RUN).pipeline

test: lint
	$(BIN)/python -m pytest

torture: .venv/installed-test
	PYTHONPATH=tests $(BIN)/python tests/faults/torture.py

audit: .venv/installed
	@test -e .venv-audit || $(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/pip install --quiet pip-audit
	$(BIN)/pip freeze --exclude-editable > .venv-audit/packages.txt
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement .venv-audit/packages.txt

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))

.venv/installed: setup.cfg pyproject.toml
	@python=$(PYTHON); test ! -e .venv || python=$(BIN)/python; "$$python" -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "error: $$python is no Python 3.10 to 3.13; type: rm -rf .venv; make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 2; }
	@test -e .venv || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 2; }
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --editable ".[test]"
	@touch $@

clean:
	rm -rf .venv .venv-audit data/digits-8 runs/digits saved_models/digits
