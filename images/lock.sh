#!/bin/sh
# Resolve all Python packages together, then write one requirement file per image from the result.
# Usage: images/lock.sh [FOLDER]; versions already pinned in FOLDER are kept where they still fit.
set -eu
cd "$(dirname "$0")/.."
out=${1:-images/requirements}
mkdir -p "$out"

resolve() { # resolve FILE ARGUMENT...
    file=$1
    shift
    # "fewest" picks one version of a package for all Pythons instead of the newest for each.
    "${UV:-uv}" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --no-annotate --no-header --output-file "$out/$file" "$@" >/dev/null
}

resolve all.txt --group dev --group mlflow shared/pyproject.toml stages/*/pyproject.toml
resolve dev.txt --group dev shared/pyproject.toml stages/*/pyproject.toml --constraint "$out/all.txt"
resolve mlflow.txt --group mlflow --constraint "$out/all.txt"
for stage in stages/*/pyproject.toml; do
    resolve "$(basename "$(dirname "$stage")").txt" shared/pyproject.toml "$stage" --constraint "$out/all.txt"
done
# pyspark contains Spark and the same modules as pyspark-client, so the two never share an environment.
resolve spark.txt --group spark --constraint "$out/all.txt"
# Airflow is resolved apart: it has its own constraints and never imports a stage.
resolve airflow.txt --group airflow
