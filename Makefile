# One line of help a target: `make`. Needs Python ≥ 3.11 and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home
export DAGSTER_DISABLE_TELEMETRY := 1
export PYTHONWARNINGS ?= ignore::UserWarning
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help run dev serve doctor test test-slow test-daemon lint check audit coverage mutants bench docs lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.runtime: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) (once, about a minute) …" >&2
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.runtime ## Make one day's digest: the bundled sample, or with a key today's; DAY=2026-11-20 for that day
	@$(BIN)/digest run $(if $(DAY),--day $(DAY))

dev: $(VENV)/.runtime ## Open the Dagster UI on http://127.0.0.1:3000 with the daily schedule running
	@$(BIN)/digest dev

serve: $(VENV)/.runtime ## Show the digest's pages on http://127.0.0.1:8000
	@$(BIN)/digest serve

doctor: $(VENV)/.runtime ## Examine settings, arXiv, the model's endpoint, calendar, disk and clock
	@$(BIN)/digest doctor

$(VENV)/.slow: $(VENV)/.dev requirements-slow.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-slow.lock
	@touch $@

$(VENV)/.llama: $(VENV)/.slow requirements-llama.lock
	@if ! command -v c++ > /dev/null; then echo "No C++ compiler: the test with a llama.cpp server will be skipped." >&2; else \
		echo "Compiling llama.cpp for its test (once, some ten minutes) …" >&2; \
		CMAKE_ARGS="-DGGML_NATIVE=OFF -DMTMD_BUILD=OFF -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_OPENSSL=OFF" \
			$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-llama.lock && touch $@; fi

test: $(VENV)/.dev ## Run the fast tests
	@$(BIN)/python -m pytest -q -n 2 -m "not slow"

# W3C's validator of pages: a Java program that npm carries. Without npm, or Java, its test is skipped and says so.
export VNU_JAR ?= $(CURDIR)/$(VENV)/node_modules/vnu-jar/build/dist/vnu.jar
$(VENV)/.vnu: Makefile
	@if command -v npm > /dev/null; then npm install --silent --no-save --ignore-scripts --prefix $(VENV) vnu-jar@26.9.27; fi
	@touch $@

test-slow: $(VENV)/.llama $(VENV)/.vnu ## Run the slow tests: real daemon, browser, Postgres, S3, a model proxy, llama.cpp
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow -rs

DAEMON_TESTS := orchestration/test_slow_daemon translation/test_processes translation/cache/test_cache test_cli docs/test_commands
test-daemon: $(VENV)/.dev ## Of the slow tests, those that need nothing more: a real webserver and daemon, kills, the documents' commands
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow -rs $(DAEMON_TESTS:%=digest_pipeline_tests/%.py)

lint: $(VENV)/.dev ## Format, lint, types, secrets, generated documents, workflow files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports > /dev/null || $(BIN)/lint-imports
	@home=$$(mktemp -d) && cp digest_pipeline/orchestration/dagster.yaml $$home && for what in "check defs" "list defs --json"; do \
		VIRTUAL_ENV=$(CURDIR)/$(VENV) DAGSTER_HOME=$$home DIGEST_DATA_DIR=$$home/data $(BIN)/dg $$what > $$home/said 2>&1 || { cat $$home/said; exit 1; }; \
		! grep -i warning $$home/said; done; rm -rf $$home
	@$(BIN)/python .ci/secrets.py
	@$(BIN)/python -m digest_pipeline.reference --check docs
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci digest.gitlab-ci.yml
	@$(BIN)/zizmor --offline --quiet --persona pedantic .github/workflows
	@if command -v actionlint >/dev/null 2>&1; then actionlint; fi

check: lint test ## What a change must pass: lint and the fast tests

audit: $(VENV)/.dev ## Look the locked dependencies up in a vulnerability database (needs the internet)
	@$(BIN)/python -m pip_audit --require-hashes -r requirements.lock

coverage: $(VENV)/.dev ## Run the fast tests and write docs/testing.md: which branches they take
	@$(BIN)/python -m pytest -q -n 2 -m "not slow" --cov --cov-report=json:.coverage.json
	@$(BIN)/python .ci/testing.py .coverage.json

$(VENV)/.mutmut: $(VENV)/.dev
	@$(BIN)/python -m pip install -qq --disable-pip-version-check mutmut==3.8.1
	@touch $@

mutants: $(VENV)/.mutmut ## Change calendar, mask, ledger, id blocks in small ways and show what no test notices (an hour)
	@$(BIN)/mutmut run
	@$(BIN)/mutmut results

bench: $(VENV)/.dev ## Measure everything that docs/performance.md shows
	@$(BIN)/python -m benchmarks

lock: ## Resolve the dependencies anew into the lock files (needs uv)
	@./.ci/lock

docs: $(VENV)/.dev ## Write the generated documents anew
	@$(BIN)/python -m digest_pipeline.reference --write docs

clean: ## Remove the virtual environment, caches and Dagster's records; data/ stays
	rm -rf $(VENV) .dagster_home build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* mutants htmlcov
