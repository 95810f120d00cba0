# Every command of the project. `make help` lists them.

.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/sh

# `make help` lists the variables of each command; those of a run have the defaults of
# dags/sodai_dag/parameters.py where they are empty.
OUT ?= data
PYTHON ?= python3
UV_VERSION := 0.13.9
# Named after its version, so that another version is installed next to it.
UV_HOME := .cache/uv-$(UV_VERSION)
UV := $(UV_HOME)/bin/uv
STAGES := $(notdir $(patsubst %/,%,$(dir $(wildcard stages/*/pyproject.toml))))
ENGINE_ANSWERS = { docker version && docker buildx version; } >/dev/null 2>&1
# One name per call: dash checks only the first.
HAS_BROWSER = command -v chromium >/dev/null && command -v chromedriver >/dev/null

# uv uses the given Python and downloads none; Airflow, Evidently and MLflow send no telemetry.
export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export UV_VERSION

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: env ## Run the pipeline once: [DATA=folder] [OUT=data] [RUNNER=docker|process] [AS_OF=date] [HORIZON=7] [TRIALS=50] [RETRAIN=1] [FORCE=1] [K=10]
	@runner=$(RUNNER); \
	if [ -z "$$runner" ]; then if $(ENGINE_ANSWERS); then runner=docker; else runner=process; fi; fi; \
	if [ "$$runner" = docker ]; then $(MAKE) --no-print-directory images; fi && \
	PYTHONPATH=dags exec .venv-airflow/bin/python -P -m make_commands.run \
	    --runner "$$runner" --out "$(OUT)" $(if $(DATA),--data "$(DATA)") \
	    $(if $(AS_OF),--as-of $(AS_OF)) $(if $(HORIZON),--horizon $(HORIZON)) $(if $(TRIALS),--trials $(TRIALS)) \
	    $(if $(RETRAIN),--retrain) $(if $(FORCE),--force) $(if $(K),--k $(K))

.PHONY: backtest
backtest: env ## Replay periods: DATA=folder WEEKS="2025-01-01:5 2025-01-06" [SINCE=date] [OUT=data] [TRIALS=50]
	@: $(or $(DATA),$(error backtest: DATA is not set; expected a folder with parquet files)) \
	    $(or $(WEEKS),$(error backtest: WEEKS is not set; expected first days such as "2025-01-01:5 2025-01-06"))
	@PYTHONPATH=shared:dags:tests .venv/bin/python -m benchmarks.backtest --data "$(DATA)" --weeks "$(WEEKS)" \
	    --out "$(OUT)" $(if $(TRIALS),--trials $(TRIALS)) $(if $(SINCE),--since $(SINCE))

.PHONY: bench
bench: env ## The backtest on Complete Journey: [ONLY="beverages product_id"] [TRIALS=50]; or stages by size: SCALE="1_000_000"; or images: IMAGES=1
	@PYTHONPATH=shared:dags:tests .venv/bin/python -m \
	    $(if $(IMAGES),benchmarks.image_builds,$(if $(SCALE),benchmarks.scale --sizes $(SCALE),benchmarks $(if $(TRIALS),--trials $(TRIALS)) $(if $(ONLY),--only $(ONLY))))

.PHONY: bench-data
bench-data: env ## Write synthetic sales of any size as input: ROWS=10_000_000 [OUT=data]
	@: $(or $(ROWS),$(error bench-data: ROWS is not set; expected a number of lines such as 10_000_000))
	@PYTHONPATH=shared:tests .venv/bin/python -m benchmarks.synthetic_sales --rows $(ROWS) --out "$(OUT)"

# Builds the images that Compose starts, with the tag that it reads from .env.
up: export SODAI_IMAGE_TAG := $(or $(SODAI_IMAGE_TAG),$(shell sed -n 's/^SODAI_IMAGE_TAG="*\([A-Za-z0-9_.-]*\).*/\1/p' .env 2>/dev/null))
.PHONY: up
up: env compose images ## Start the full stack and load [DATA=folder]; SPARK=1 with a Spark cluster: Airflow on port 8080, MLflow on 5000
	@$(if $(SPARK),images/build.sh spark)
	@$(if $(SPARK),COMPOSE_PROFILES=spark) PYTHONPATH=dags \
	    .venv/bin/python -P -m make_commands.up $(if $(DATA),--data "$(DATA)")

.PHONY: down
down: compose ## Stop the full stack; VOLUMES=1 removes its data too
	@PYTHONPATH=dags $(or $(wildcard .venv/bin/python),$(PYTHON)) -P -m make_commands.down $(if $(VOLUMES),--volumes)

# Checked before images are built; the commands that need an engine report a missing one themselves.
.PHONY: compose
compose:
	@! docker version >/dev/null 2>&1 || docker compose version >/dev/null 2>&1 || \
	    { echo "compose: Docker's Compose 2 is missing; on Debian: apt-get install docker-compose, on Ubuntu docker-compose-v2" >&2; exit 1; }

.PHONY: check
check: env ## Lint, format, types, layers and the lock files
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/mypy --python-executable .venv-airflow/bin/python dags
	@PYTHONPATH=shared:stages:dags:. .venv/bin/lint-imports --cache-dir .cache/import-linter
	@.venv/bin/shellcheck --external-sources images/*.sh .ci/run
	@$(MAKE) --no-print-directory lock-check

# Without an engine or a browser the tests that need one are skipped, unless SODAI_REQUIRE_DOCKER=1.
.PHONY: test
test: env ## Run the tests: [TESTS=folder]; tests with containers only if a Docker engine answers
	@left_out=; \
	if $(ENGINE_ANSWERS) || [ -n "$$SODAI_REQUIRE_DOCKER" ]; then \
	    $(MAKE) --no-print-directory images || exit 1; \
	else \
	    echo "test: no Docker engine with Buildx answers, tests that need one are skipped; make engine starts one"; \
	    left_out=docker,compose; \
	fi; \
	$(MAKE) --no-print-directory browser 2>/dev/null || :; \
	if ! { $(HAS_BROWSER); }; then \
	    echo "test: no chromium or no chromedriver, tests that need them are skipped; apt-get install chromium chromium-driver"; \
	    left_out="$$left_out,browser"; \
	fi; \
	.venv/bin/python tests/run_tests.py --without "$$left_out" --durations 15 $(TESTS)

.PHONY: browser
browser: ## Install the browser that tests drive, on Debian and as root
	@{ $(HAS_BROWSER); } || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	        chromium chromium-driver fonts-dejavu-core; } >/dev/null

.PHONY: env
env: .venv/.made .venv-airflow/.made ## Create the two Python environments (stages and tools; Airflow)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	    { echo "env: $(PYTHON) is $$($(PYTHON) --version 2>&1), expected Python 3.11 to 3.13; run make PYTHON=/path/to/python3.13 env" >&2; exit 1; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || \
	    { echo "env: libgomp.so.1 is missing, LightGBM needs it; on Debian: apt-get install libgomp1" >&2; exit 1; }
	@$(PYTHON) -m venv $(UV_HOME) || \
	    { echo "env: $(PYTHON) cannot create an environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(UV_HOME)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The stamp is written last: an environment without it is incomplete and is created again.
.venv/.made: images/requirements/dev.txt | $(UV)
.venv-airflow/.made: images/requirements/airflow.txt | $(UV)
.venv/.made .venv-airflow/.made:
	@$(UV) venv --quiet --allow-existing --python "$$($(UV_HOME)/bin/python -c 'import sys; print(sys.executable)')" $(@D)
	@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes --compile-bytecode $<
	@touch $@
	@echo "env: $(@D) is ready"

.PHONY: lock
lock: | $(UV) ## Resolve all Python packages again into images/requirements/
	@UV=$(UV) images/lock.sh

.PHONY: lock-check
lock-check: | $(UV) ## Fail if images/requirements/ is not what `make lock` writes
	@rm -rf .cache/lock && mkdir -p .cache && cp -r images/requirements .cache/lock
	@UV=$(UV) images/lock.sh .cache/lock
	@diff -rq images/requirements .cache/lock || \
	    { echo "lock-check: images/requirements/ does not match the pyproject files; run make lock" >&2; exit 1; }

.PHONY: engine
engine: ## Install and start a Docker engine on a Debian machine that has none
	@images/engine.sh

.PHONY: images
images: ## Build every image; the base comes from a registry or, without one, from Debian's packages
	@images/build.sh

.PHONY: image
image: ## Build one image: make image STAGE=create_features
	@images/build.sh $(or $(STAGE),$(error image: STAGE is not set; expected one of $(STAGES) airflow mlflow postgres spark))
