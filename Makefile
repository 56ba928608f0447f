# make demo   the demo app on http://127.0.0.1:8000
# make check  while working: style, types and the quick tests
# make test   every test; make lint: style and types; make bench: the speeds

VENV ?= .venv
PYTHON_OF_VENV = $(VENV)/bin/python
PORT ?= 8000
FIELDPOST_DATA ?= .data
FUZZ ?= all 60
export PORT FIELDPOST_DATA
# test files are compiled once, and not by every process again
unexport PYTHONDONTWRITEBYTECODE

PIP_INSTALL = $(PYTHON_OF_VENV) -m pip install --quiet --disable-pip-version-check
# Nothing comes in but the files whose hashes are in the lock, and none is built by tools that are not;
# this clone is built by what came so. No package of npm runs anything when it comes.
LOCKED = $(PIP_INSTALL) --require-hashes --only-binary :all: --requirement
THIS_CLONE = $(PIP_INSTALL) --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.PHONY: help setup demo check quick test lint format bench bench-peers fuzz lock clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Each part is installed again when what it was installed from has changed.
$(VENV)/.made: scripts/ensure-python
	@PYTHON="$(PYTHON)" scripts/ensure-python $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml requirements.lock
	@echo "Installing the Python parts in $(VENV)"
	@$(LOCKED) requirements.lock
	@$(THIS_CLONE)
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements-dev.lock
	@echo "Installing the Python parts for development in $(VENV)"
	@$(LOCKED) requirements-dev.lock
	@touch $@

node_modules/.demo: package.json package-lock.json
	@scripts/ensure-node
	@echo "Installing the browser parts in node_modules"
	@npm ci --omit=dev --ignore-scripts --loglevel=error
	@touch $@

node_modules/.dev: package.json package-lock.json
	@scripts/ensure-node
	@echo "Installing the browser parts for development in node_modules"
	@npm ci --ignore-scripts --loglevel=error
	@touch node_modules/.demo $@

setup: $(VENV)/.dev node_modules/.dev ## install all that development needs
	@scripts/ensure-chromium >/dev/null
	@scripts/ensure-firefox >/dev/null
	@scripts/ensure-webkit >/dev/null
	@scripts/ensure-postgres >/dev/null

demo: $(VENV)/.demo node_modules/.demo ## run the demo app (PORT, FIELDPOST_DATA)
	@$(VENV)/bin/fieldpost demo

# Left out: PostgreSQL, the device's Python, the browser, and whatever makes up its cases by the hundred.
QUICK = not (postgresql or parity or browser or long)

check: $(VENV)/.dev node_modules/.dev ## lint and the quick tests on SQLite, while you work
	@$(MAKE) --no-print-directory --jobs 2 quick lint
	@echo "Left out here: PostgreSQL, the device's Python, the browser, long stories. make test runs all."

quick: $(VENV)/.dev
	@TMPDIR=$$(scripts/scratch-folder) $(VENV)/bin/pytest -q --numprocesses 2 --dist worksteal -m "$(QUICK)" \
		--ignore tests/browser --ignore tests/parity

# The browsers come last: two of them and their servers fill a machine, and nothing else runs beside.
test: setup ## run all tests: both databases, both Pythons, a real browser
ifdef TESTS
	@$(VENV)/bin/pytest $(TESTS)
else
	@TMPDIR=$$(scripts/scratch-folder) $(VENV)/bin/pytest --numprocesses 2 --dist worksteal --ignore tests/browser
	@$(VENV)/bin/pytest --numprocesses 2 --dist worksteal tests/browser
endif

lint: $(VENV)/.dev node_modules/.dev ## check style and types of Python and JavaScript
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	node_modules/.bin/eslint .
	node_modules/.bin/tsc -p jsconfig.json
	node_modules/.bin/tsc -p jsconfig.worker.json

format: $(VENV)/.dev ## put Python into shape
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: setup ## measure the speeds of docs/performance.md
	$(PYTHON_OF_VENV) bench/run.py

bench-peers: setup ## measure other libraries beside us, in the same browser
	@cd bench/peers && npm ci --ignore-scripts --loglevel=error
	$(PYTHON_OF_VENV) bench/run.py peers

fuzz: setup ## search for bytes that break a parser (FUZZ: which, and seconds for each)
	@$(PIP_INSTALL) --require-hashes --only-binary :all: --no-deps --upgrade --target $(VENV)/fuzz --requirement tests/fuzz/requirements.txt
	PYTHONPATH=$(VENV)/fuzz $(PYTHON_OF_VENV) tests/fuzz/run.py $(FUZZ)

lock: ## take the newest versions within the ranges of pyproject.toml
	@scripts/lock --upgrade

clean: ## remove what the targets above have made, the demo's data excepted
	rm -rf $(VENV) node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
