# Every command of the project. `make help` lists them.

.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/sh

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .cache/uv/bin/uv
STAGES := $(notdir $(patsubst %/,%,$(dir $(wildcard stages/*/pyproject.toml))))

# uv takes the Python it is given and fetches none; Airflow, Evidently and MLflow stay silent.
export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export AIRFLOW_HOME ?= $(CURDIR)/.cache/airflow

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: env
env: .venv/.made .venv-airflow/.made ## Make the two Python environments (stages and tools; Airflow)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	    { echo "env: $(PYTHON) is $$($(PYTHON) --version 2>&1), expected Python 3.11 to 3.13; run make PYTHON=/path/to/python3.13 env" >&2; exit 1; }
	@$(PYTHON) -m venv .cache/uv || \
	    { echo "env: $(PYTHON) cannot make an environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The stamp comes last: an environment without it is incomplete and is made again.
.venv/.made: images/requirements/dev.txt | $(UV)
.venv-airflow/.made: images/requirements/airflow.txt | $(UV)
.venv/.made .venv-airflow/.made:
	@$(UV) venv --quiet --allow-existing --python "$$(.cache/uv/bin/python -c 'import sys; print(sys.executable)')" $(@D)
	@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes --compile-bytecode $<
	@touch $@
	@echo "env: $(@D) is ready"

.PHONY: lock
lock: | $(UV) ## Resolve all Python needs anew into images/requirements/
	@UV=$(UV) images/lock.sh

.PHONY: lock-check
lock-check: | $(UV) ## Fail if images/requirements/ is not what `make lock` gives
	@rm -rf .cache/lock && mkdir -p .cache && cp -r images/requirements .cache/lock
	@UV=$(UV) images/lock.sh .cache/lock
	@diff -rq images/requirements .cache/lock || \
	    { echo "lock-check: images/requirements/ is not what the pyproject files ask for; run make lock" >&2; exit 1; }

.PHONY: engine
engine: ## Install and start a Docker engine on a Debian machine that has none
	@images/engine.sh

.PHONY: images
images: ## Build every image; the base comes from a registry or, without one, from Debian's packages
	@UV_VERSION=$(UV_VERSION) images/build.sh

.PHONY: image
image: ## Build one image: make image STAGE=create_features
	@UV_VERSION=$(UV_VERSION) images/build.sh $(or $(STAGE),$(error image: STAGE is not set; expected one of $(STAGES) airflow mlflow postgres))
