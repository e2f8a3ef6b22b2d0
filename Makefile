# Everything a fresh machine needs is set up here: Python 3.11 or later and make are all that must be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

DEMO_NEEDS := --editable '.[tables,models]' matplotlib
DEV_NEEDS := --editable '.[dev]'

.DEFAULT_GOAL := help
.PHONY: help demo test lint check-types unit conformance airflow-pictures test-airflow test-airflow-full test-airflow-pods test-argo-lint test-argo test-containers torture bench docs clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# uv is ~20 times faster than pip; where it can't be had, pip does the same
define install
	@$(PYTHON) -c 'import sys; sys.exit("drawloom needs Python 3.11 or later; set PYTHON=...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python --constraint constraints.txt $(1); \
	elif $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; then $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt $(1); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(1); fi
endef

$(VENV)/.demo: pyproject.toml constraints.txt
	$(call install,$(DEMO_NEEDS))
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install,$(DEV_NEEDS))
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## run the main example, parallel and versioned; a second time only what isn't cached runs
	@cd examples/hotel_rates && ../../$(BIN)/drawloom run hotel_rates --bookings hotel_rates.csv
	@cd examples/hotel_rates && ../../$(BIN)/drawloom catalog ls
	@cd examples/hotel_rates && ../../$(BIN)/drawloom catalog load hotel_rates/report -o report.png

# one of them waits for Airflow most of the time
PROCESSES ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
AIRFLOW_VERSION := 3.3.2
AIRFLOW := .venv-airflow
AIRFLOW_NEEDS := apache-airflow==$(AIRFLOW_VERSION) apache-airflow-providers-cncf-kubernetes
# Airflow has an environment of its own: it can't share one with what drawloom needs
$(AIRFLOW)/.$(AIRFLOW_VERSION): $(VENV)/.dev
	@test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	@uv=$$(command -v uv || echo $(BIN)/uv); if test -x $$uv; then $$uv pip install --quiet --python $(AIRFLOW)/bin/python $(AIRFLOW_NEEDS); \
	else $(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check $(AIRFLOW_NEEDS); fi
	@touch $@

test: lint check-types unit ## set up, then every check and test

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: $(VENV)/.dev ## mypy --strict and pyright over the package
	$(BIN)/mypy
	$(BIN)/pyright --warnings

unit: $(VENV)/.dev $(AIRFLOW)/.$(AIRFLOW_VERSION) ## pytest, on a real Airflow too
	TEST_AIRFLOW=$(CURDIR)/$(AIRFLOW)/bin $(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup

torture: $(VENV)/.dev ## generated programs, 5 times as many as in `make test`; 500 kills -9 under load and what else may befall a store
	TEST_EXAMPLES=5 $(BIN)/python -m pytest -n auto tests/conformance
	TEST_KILLS=500 $(BIN)/python -m pytest -n auto tests/durability

PLAIN_EXAMPLES ?= 50000
PLAIN_SHARES ?= $(shell getconf _NPROCESSORS_ONLN)
PLAIN_SEED ?= 1
conformance: $(VENV)/.dev ## every program of the suite on every executor and engine, with faults; then 50,000 generated ones and 10,000 mistakes
	TEST_CONFORMANCE=all $(BIN)/python -m pytest -n auto tests/conformance/test_conformance.py
	@seq $$(( $(PLAIN_SEED) * 1000 )) $$(( $(PLAIN_SEED) * 1000 + $(PLAIN_SHARES) - 1 )) | xargs -P $(PLAIN_SHARES) -I{} env PLAIN_SEED={} \
	    PLAIN_EXAMPLES=$$(( $(PLAIN_EXAMPLES) / $(PLAIN_SHARES) )) PLAIN_MISTAKES=$$(( $(PLAIN_EXAMPLES) / $(PLAIN_SHARES) / 5 )) $(BIN)/python -m pytest -q -p no:cacheprovider tests/conformance/test_generated_plain.py

ARGO_PROCESSES ?= 4  # each waits for pods most of the time
test-argo-lint: $(VENV)/.dev ## every program's Workflow by Argo's own validators, 4.0's and 3.7's, built from their Go modules (needs Go)
	@lint=$$(tests/engines/argo/build-argolint) && older=$$(tests/engines/argo/build-argolint 3.7); status=$$?; \
	if [ $$status = 75 ]; then exit 0; elif [ $$status != 0 ]; then exit $$status; fi; \
	TEST_ARGOLINT=$$lint TEST_ARGOLINT_37=$$older $(BIN)/python -m pytest tests/argo/test_argolint.py

test-argo: $(VENV)/.dev ## the small programs on a real Argo, on a Kubernetes of its own on this machine (needs root, Go, Debian)
	tests/engines/argo/with-cluster $(BIN)/python -m pytest -n $(ARGO_PROCESSES) tests/engines/argo

AIRFLOW_211 := .venv-airflow-2.11
$(AIRFLOW_211)/.done: $(VENV)/.dev
	@test -x $(AIRFLOW_211)/bin/python || $(PYTHON) -m venv $(AIRFLOW_211)
	@uv=$$(command -v uv || echo $(BIN)/uv); $$uv pip install --quiet --python $(AIRFLOW_211)/bin/python --exclude-newer 2026-04-01 apache-airflow==2.11.2 apache-airflow-providers-standard
	@touch $@

test-airflow: $(AIRFLOW)/.$(AIRFLOW_VERSION) ## of `make test` what a real Airflow runs: every small program by dag.test(), and a session
	TEST_AIRFLOW=$(CURDIR)/$(AIRFLOW)/bin $(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup tests/engines/airflow

test-airflow-full: $(AIRFLOW)/.$(AIRFLOW_VERSION) $(AIRFLOW_211)/.done ## all of it on real Airflows: PostgreSQL (Debian's), every program, 1,000 nodes, 5,000 items, 2.11 (needs root)
	@uv=$$(command -v uv || echo $(BIN)/uv); $$uv pip install --quiet --python $(AIRFLOW)/bin/python psycopg2-binary asyncpg; \
	$$uv pip install --quiet --python $(AIRFLOW_211)/bin/python psycopg2-binary
	TEST_AIRFLOW=$(CURDIR)/$(AIRFLOW)/bin TEST_AIRFLOW_211=$(CURDIR)/$(AIRFLOW_211)/bin tests/engines/airflow/with-postgresql $(BIN)/python -m pytest -n 3 --dist loadgroup tests/engines/airflow

airflow-pictures: $(AIRFLOW)/.$(AIRFLOW_VERSION) ## take the pictures of docs/airflow.md anew, with a headless Chromium (needs root, Debian)
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -y -q chromium; } >/dev/null
	@uv=$$(command -v uv || echo $(BIN)/uv); $$uv pip install --quiet --python $(BIN)/python playwright
	TEST_AIRFLOW=$(CURDIR)/$(AIRFLOW)/bin $(BIN)/python docs/images/take.py

test-airflow-pods: $(AIRFLOW)/.$(AIRFLOW_VERSION) ## Airflow's steps in pods, on a Kubernetes of its own on this machine (needs root, Go, Debian)
	TEST_AIRFLOW=$(CURDIR)/$(AIRFLOW)/bin tests/engines/argo/with-cluster $(BIN)/python -m pytest tests/engines/airflow/test_pods_on_airflow.py

test-containers: $(AIRFLOW)/.$(AIRFLOW_VERSION) ## containers on this machine, by a docker of its own, and Airflow's steps in them (needs root, Debian)
	TEST_AIRFLOW=$(CURDIR)/$(AIRFLOW)/bin tests/engines/containers/with-docker $(BIN)/python -m pytest tests/engines/containers tests/engines/airflow/test_docker_on_airflow.py

bench: $(VENV)/.dev ## the figures of docs/performance.md, beside their floor
	$(BIN)/python -m benchmarks.run

docs: $(VENV)/.dev ## write the generated pages anew: schema, capabilities, list of errors
	$(BIN)/python -m drawloom.ir.schema > docs/ir.schema.json
	$(BIN)/python -m drawloom.compilers.matrix > docs/capabilities.md
	$(BIN)/python docs/errors/index.py > docs/errors.md

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(AIRFLOW) $(AIRFLOW_211) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
