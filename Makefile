.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEMO ?=
PYTEST ?=
# So many test files at once; PYTEST="-n 0" runs them in one process, for a debugger.
WORKERS ?= 2
# In their own order, in which the long files of few tests come first: xdist would put them last, one after the other.
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
TORCH ?= 1
TORCH_STAMP := .venv/.torch

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml requirements.lock
	@echo "steelyard: making .venv; this happens once and takes one to five minutes, most of it downloads ..."
	@$(PYTHON) -m venv .venv
	@echo "steelyard: installing the packages of requirements.lock ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@echo "steelyard: .venv is ready"
	@touch $(STAMP)

# The hook's tests train on the CPU; nothing else needs torch.
$(TORCH_STAMP): requirements-torch.lock $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-torch.lock
	@touch $(TORCH_STAMP)

install: $(STAMP) ## the environment in .venv

demo: $(STAMP) ## a live fleet on this machine: DEMO="--headless --seconds 20" without a terminal
	$(BIN)/steelyard demo $(DEMO)

ifeq ($(TORCH),1)
test: $(STAMP) $(TORCH_STAMP) ## all tests but the chaos ones: PYTEST="-k spool" for some; TORCH=0 without torch
	$(BIN)/python -m pytest -m "not chaos" $(SPREAD) $(PYTEST)
else
test: $(STAMP)
	$(BIN)/python -m pytest -m "not chaos" $(SPREAD) --ignore=tests/integration/hook $(PYTEST)
	@echo "TORCH=0: the trainings of tests/integration/hook were left out"
endif

chaos: $(STAMP) ## 200 kills of agent and collector under load
	$(BIN)/python -m pytest -m chaos --timeout 3600 $(PYTEST)

lint: $(STAMP) ## format, rules, types, imports, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(STAMP) ## mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## every published figure
	$(BIN)/python -m tests.bench all

docs: $(STAMP) ## the pages that are generated
	$(BIN)/python docs/generate_metrics.py > docs/metrics.md
	$(BIN)/python docs/generate_exporters.py > docs/exporters.md

proto: ## the stubs from the .proto files
	deploy/generate-stubs proto

lock: $(STAMP) ## requirements.lock from pyproject.toml
	deploy/lock

.PHONY: help install demo test chaos lint format bench docs proto lock
