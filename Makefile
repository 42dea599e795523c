# make run   sets up, runs the default, prints the summary        (6 to 12 minutes on 2 cores) 
# make test  sets up, runs lint and tests
# make test-faults   kills, full disks, damaged files and fuzzing, 20 times as much as in `make test`
# make test-slurm   (as root) installs SLURM where it is missing, runs the pipeline through it, stops it
# CONFIG=config/digits.yaml make run    another selection;  PYTHON=python3.12 another interpreter

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
CONFIG ?=
SNAKEMAKE := $(BIN)/snakemake --cores all $(if $(CONFIG),--configfile $(CONFIG))
# a process for each core; a file stays in one, where its fixtures are made once
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test test-faults test-slurm bench lint clean
.DELETE_ON_ERROR:

run: .venv/installed
	$(SNAKEMAKE)
	$(SNAKEMAKE) --report results/report.html
	$(BIN)/nearnd show
	@echo "Next: open results/report.html; for your own images  . $(BIN)/activate  and README, 'Your own images'"

test: .venv/installed lint
	$(PYTEST)

test-faults: .venv/installed
	NEARND_FAULTS=20 $(PYTEST) tests/faults

test-slurm: .venv/installed
	$(PIP) --editable '.[test,slurm]'
	PYTHON=$(abspath $(BIN)/python) tests/slurm/run.sh

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules workflow/Snakefile
	$(BIN)/snakemake --lint

bench: .venv/installed
	$(PIP) --editable '.[bench]'
	$(BIN)/python benchmarks/run.py

# the stamp is last: an installation that was killed is made again
.venv/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "nearnd needs Python 3.11 or newer: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[test]'
	touch $@

clean:
	rm -rf .venv results .snakemake
