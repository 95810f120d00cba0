#!/bin/sh
# Brings the full stack up and loads a folder laid out like raw/: images/up.sh [FOLDER].
set -eu
cd "$(dirname "$0")/.."

images/secrets.sh
docker compose up --detach --wait --wait-timeout 300
# Streamed, so that it works with an engine on another machine too and files belong to the stages' user.
tar --create --directory "$1" . |
    docker run --rm --interactive --user 1000:1000 --volume sodai_data:/data sodai/base \
        sh -c 'mkdir -p /data/raw && tar --extract --no-same-owner --directory /data/raw'
echo "up: Airflow http://localhost:8080 (admin, password: AIRFLOW_ADMIN_PASSWORD in .env), MLflow http://localhost:5000"
