# The console's commands. They need Python 3.11 or newer, make and git, and set up the rest by themselves.
PYTHON ?= python3
PYTEST = .venv/bin/python -m pytest
# As many test processes as processors.
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests up test test-postgres check lint types proofs proof-batch proof-lost-answers proof-races lock clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-20s %s\n' "$$name" "$$text"; done

up: setup ## start the console with everything it needs, until Ctrl-C (PORT, SIMULATOR_PORT, DATA_DIR: docs/settings.md)
	@exec .venv/bin/python manage.py up

test: setup-tests ## run the tests on SQLite and the embedded broker
	$(PYTEST) -n $(JOBS)

test-postgres: setup-tests ## run those of services, jobs and workers on PostgreSQL and Redis as well
	$(PYTEST) -n $(JOBS) -m "stack or postgres" --stack=postgres-redis

proofs: setup-tests ## what takes minutes: every page under axe, killed workers and brokers, and the short form of the other proofs
	$(PYTEST) -n $(JOBS) -m proof --proofs=short

proof-lost-answers: setup-tests ## 500 writes whose answer is lost in every way (PROOF_SEED, PROOF_LOG: docs/writes.md)
	$(PYTEST) tests/chaos/test_lost_answers.py --proofs=long

proof-batch: setup-tests ## revisions of 400 integrations, with workers and the broker killed in the middle
	$(PYTEST) tests/integrations_app/jobs/test_batches_killed.py --proofs=long

proof-races: setup-tests ## 200 races: double clicks, two editors, an edit beside a sync, deletions beside a job
	$(PYTEST) tests/chaos/test_races.py --proofs=long

check: lint types test test-postgres ## lint, types, import rules and the tests on both databases

lint: setup-tests ## ruff, djlint, import rules, unused dependencies, bandit, missing migrations
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/djlint templates --lint --quiet
	.venv/bin/lint-imports --no-cache
	.venv/bin/deptry .
	.venv/bin/bandit --quiet --recursive --configfile pyproject.toml manage.py console integrations_app
	.venv/bin/python manage.py makemigrations --check --dry-run

types: setup-tests ## mypy, strict
	.venv/bin/mypy

setup: ## set up what running the console needs
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) is missing; install Python 3.11 or newer, or name one: make up PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) .ci/setup.py

setup-tests: ## set up what the tests and linters need as well
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) is missing; install Python 3.11 or newer, or name one: make test PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) .ci/setup.py --tests

lock: setup-tests ## write the lock files anew after changing pyproject.toml (UPGRADE=--upgrade takes newer releases)
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(UPGRADE) -o requirements.lock pyproject.toml
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(UPGRADE) -c requirements.lock -o requirements-test.lock pyproject.toml --group test --group lint

clean: ## remove what setting up and testing made; the data in var/ stays
	rm -rf .venv .setup node_modules static/vendor tests/browser/node_modules tests/browser/chromium .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
