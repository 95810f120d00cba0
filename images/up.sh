#!/bin/sh
# Brings the full stack up and loads a folder laid out like raw/, the example data without one:
# images/up.sh [FOLDER].
set -eu
cd "$(dirname "$0")/.."

source=${1:-}
if [ -z "$source" ]; then
    source=.cache/example_data
    PYTHONPATH=shared .venv/bin/python -m example_data "$source"
fi
ls "$source"/*.parquet >/dev/null 2>&1 || {
    echo "up: $source has no parquet files, expected transactions, customers and products" >&2
    exit 1
}
images/secrets.sh
# Progress goes to a file: it says nothing but that services wait for each other.
log=.cache/up.log
mkdir -p .cache
docker compose up --detach --wait --wait-timeout 300 >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "up: the stack is not healthy; docker compose ps and docker compose logs say why" >&2
    exit 1
}
# Streamed, so that it works with an engine on another machine too and the files belong to the stages' user.
tar --create --directory "$source" . | docker run --rm --interactive --user 1000:1000 \
    --volume "${SODAI_STACK:-sodai}_data:/data" sodai/base \
    sh -c 'mkdir -p /data/raw && tar --extract --no-same-owner --no-same-permissions --directory /data/raw'
echo "up: Airflow on http://localhost:${AIRFLOW_PORT:-8080}, user admin, password AIRFLOW_ADMIN_PASSWORD of .env"
echo "up: MLflow on http://localhost:${MLFLOW_PORT:-5000}; data in the volume ${SODAI_STACK:-sodai}_data"
