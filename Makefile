# make run    the clinic on this machine (PORT=8001 make run for another port)
# make test   everything that can be proven here
# make help   the rest

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Some containers set it: each process would compile all the code, and all the tests, for itself.
unexport PYTHONDONTWRITEBYTECODE

PORT ?= 8000
# For two cores: one of three is always waiting, for a server, a browser or a lock.
JOBS ?= 3
EXAMPLES ?= 100000
PAIRS ?= 500
OTHERS ?= 100
CHAOS ?=
ON ?= mariadb
BENCH ?=
PYTHON ?= python3
TEST_DATABASE_URL ?= mysql://root@127.0.0.1:3306/clinic

PY := .venv/bin/python
PYTEST := $(PY) -m pytest
TEMPLATES = $(shell find templates accounts appointments clinic notifications scheduling -name '*.html')
# What kinds of tests had nothing to run on; said again at the very end.
NOT_RUN := .not-run

##@ Running
.PHONY: run
run: .venv/.running ## Start the clinic: web, worker and demo data
	@$(if $(wildcard .env),,DEMO=$${DEMO-true}) PORT=$(PORT) exec $(PY) manage.py serve --prepare

.venv/.running: requirements.txt constraints.txt .ci/setup
	@PYTHON=$(PYTHON) .ci/setup requirements.txt
	@touch $@

.venv/.developing: requirements-dev.txt requirements.txt constraints.txt .ci/setup
	@PYTHON=$(PYTHON) .ci/setup requirements-dev.txt
	@touch .venv/.running $@

##@ Proving
.PHONY: test
test: ## Everything: check, then every test on both databases
	@rm -f $(NOT_RUN)
	@$(MAKE) check
	@$(MAKE) test-sqlite
	@$(MAKE) test-mariadb
	@if [ -s $(NOT_RUN) ]; then \
		printf '\n!!!!!!!!!!!!!!!!!!!! NOT EVERYTHING RAN !!!!!!!!!!!!!!!!!!!!\n'; cat $(NOT_RUN); \
		rm -f $(NOT_RUN); \
	fi

.PHONY: test-sqlite
test-sqlite: .venv/.developing ## The suite on SQLite, with the browser
	env -u DATABASE_URL NOT_RUN_REPORT=$(NOT_RUN) $(PYTEST) -n $(JOBS) --dist worksteal -m "not mariadb and not redis"

.PHONY: test-mariadb
test-mariadb: .venv/.developing ## The suite on MariaDB (TEST_DATABASE_URL), with Redis and the worker (WHOLE=1: all of it)
	DATABASE_URL=$(TEST_DATABASE_URL) NOT_RUN_REPORT=$(NOT_RUN) $(PYTEST) -n $(JOBS) --dist worksteal -m "not browser$(if $(WHOLE),, and not once)"

# EXAMPLES random schedules each: free starts against a reference that walks minute by minute;
# the same in any order of the rules; rules on the wall clocks of seven zones against their
# reference. A tenth: intervals, what a process remembers of the rules. A two-hundredth, because
# each writes rows: why there is no time, against the search and the guard.
.PHONY: properties
properties: .venv/.developing ## The arithmetic of time, each promise on 100,000 random schedules (EXAMPLES; 40 minutes)
	env -u DATABASE_URL HYPOTHESIS_EXAMPLES=$(EXAMPLES) $(PYTEST) -n $(JOBS) --dist worksteal --durations=0 \
		scheduling/tests/test_slots.py scheduling/tests/test_expand.py \
		scheduling/tests/test_intervals.py scheduling/tests/test_almanac.py \
		appointments/tests/test_explain.py

.PHONY: walk
walk: .venv/.developing ## Every page of every role in a browser, in both looks, with axe on each; every link (minutes)
	env -u DATABASE_URL WALK=whole $(PYTEST) -n $(JOBS) --dist worksteal clinic/tests/browser/test_walk.py clinic/tests/browser/test_crawl.py

.PHONY: race
race: .venv/.developing ## Many at once on MariaDB: pairs of verbs 500 times each, then the real server (an hour)
	DATABASE_URL=$(TEST_DATABASE_URL) RACE_PAIRS=$(PAIRS) $(PYTEST) -n $(JOBS) --dist worksteal -m "race and pair"
	DATABASE_URL=$(TEST_DATABASE_URL) RACE_PAIRS=$(OTHERS) $(PYTEST) -n $(JOBS) --dist worksteal -m "race and not pair"
	TEST_DATABASE_URL=$(TEST_DATABASE_URL) $(PY) .ci/race.py guarded
	TEST_DATABASE_URL=$(TEST_DATABASE_URL) $(PY) .ci/race.py red

.PHONY: chaos
chaos: .venv/.developing ## Kill, freeze and flush all that sends mail, on servers of its own (20 minutes)
	$(PY) .ci/chaos.py $(CHAOS)

.PHONY: coverage
coverage: .venv/.developing ## Which lines the suite on SQLite does not reach
	env -u DATABASE_URL $(PYTEST) -n $(JOBS) -q -m "not mariadb and not redis and not browser" --cov --cov-report=term

.PHONY: bench bench-sqlite bench-mariadb
bench: ## What the pages cost, as ratios in one run, on both databases (5 minutes)
	-@$(MAKE) bench-sqlite
	-@$(MAKE) bench-mariadb

bench-sqlite: .venv/.developing ## The same on SQLite alone (BENCH="--appointments 120000" for a smaller past)
	env -u DATABASE_URL $(PY) .ci/bench.py $(BENCH)

bench-mariadb: .venv/.developing ## The same on MariaDB alone
	DATABASE_URL=$(TEST_DATABASE_URL)_bench $(PY) .ci/bench.py $(BENCH)

.PHONY: bench-later
bench-later: .venv/.developing ## The same on one of them (ON=mariadb or ON=sqlite), in the background
	@mkdir -p var/bench
	@nohup nice $(MAKE) bench-$(ON) > var/bench/$(ON).txt 2>&1 < /dev/null & echo "Its lines come in var/bench/$(ON).txt"

.PHONY: check style types migrations sentences deployable
check: .venv/.developing ## Style, types, missing migrations, translations, production settings
	@$(MAKE) -j $(JOBS) types style migrations sentences deployable

style:
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(if $(TEMPLATES),.venv/bin/djade --target-version 5.2 --check $(TEMPLATES))

types:
	ENV_FILE=/dev/null $(PY) -m mypy

migrations:
	ENV_FILE=/dev/null SQLITE_PATH=:memory: $(PY) manage.py makemigrations --check --dry-run

sentences:
	$(PY) .ci/translations.py

deployable:
	ENV_FILE=.env.example SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))') \
		$(PY) manage.py check --deploy --fail-level WARNING

##@ Working
.PHONY: format
format: .venv/.developing ## Bring code and templates into the house's style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	-$(if $(TEMPLATES),.venv/bin/djade --target-version 5.2 $(TEMPLATES))

.PHONY: messages
messages: .venv/.developing ## Collect the sentences to translate, and compile the translations
	$(PY) .ci/translations.py --write

.PHONY: clean
clean: ## Remove what can be made again; the data in var/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov var/static $(NOT_RUN)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
