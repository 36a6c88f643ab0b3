# Needs Python 3.11+, nothing else: the first target makes .venv and fetches private database servers.

BIN := .venv/bin
# A worker more than the CPUs of a small machine: much of the time is spent waiting for servers.
PYTEST := $(BIN)/pytest -n 3

.PHONY: demo test check static faults differential chains matrix bench bounds clean docs

demo: .venv/ready  ## ebhook on a fleet of its own, on this machine
	$(BIN)/ebhook demo

test check: static  ## everything that has to pass
	$(PYTEST)

static: .venv/ready-dev  ## format, lint, types, floors, names: seconds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python .ci/class_names
	$(BIN)/shellcheck .ci/run .ci/setup $(wildcard .platform/*/*/*) ebhook/aws/templates/hook.sh

faults: .venv/ready-dev  ## kills, cuts and races, complete: half an hour
	EBHOOK_TEST_KILLS=500 EBHOOK_TEST_SIGNALS=200 $(PYTEST) tests/faults tests/mysql/test_instances.py

differential: .venv/ready-dev  ## statements of the servers' own tests, killed anywhere: an hour
	$(BIN)/python -m tests.differential

chains: .venv/ready-dev  ## real chains from PyPI, by plain Alembic and by ebhook: an hour
	$(BIN)/python -m tests.chains

matrix: .venv/ready-dev  ## other servers and Pythons, as far as they can be had: an hour
	$(BIN)/python -m tests.matrix

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks

bounds:  ## the tests with the oldest releases that setup.cfg allows
	VENV=.venv-bounds PIP_CONSTRAINT=tests/lower-bounds.txt .ci/setup test
	.venv-bounds/bin/pytest -n 2

docs: .venv/ready-dev  ## the documentation as a site, in build/site; strict
	$(BIN)/python -m pip install --quiet --editable .[docs]
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean:  ## leaves the servers in the user's cache folder
	rm -rf .venv .venv-* build dist *.egg-info .*_cache .hypothesis

.venv/ready: setup.cfg .ci/setup
	.ci/setup
	touch $@

.venv/ready-dev: setup.cfg .ci/setup
	.ci/setup test,dev
	touch $@ .venv/ready
