#!/bin/sh
# Resolves every Python need once and cuts one requirement file per image out of the result.
# Usage: images/lock.sh [FOLDER]; pins that FOLDER already holds are kept where they still fit.
set -eu
cd "$(dirname "$0")/.."
out=${1:-images/requirements}
mkdir -p "$out"

resolve() { # resolve FILE ARGUMENT...
    file=$1
    shift
    # "fewest": one version of a package for all Pythons, not the newest for each of them.
    "${UV:-uv}" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --no-annotate --no-header --output-file "$out/$file" "$@" >/dev/null
}

resolve all.txt --group dev --group mlflow shared/pyproject.toml stages/*/pyproject.toml
resolve dev.txt --group dev shared/pyproject.toml stages/*/pyproject.toml --constraint "$out/all.txt"
resolve mlflow.txt --group mlflow --constraint "$out/all.txt"
for stage in stages/*/pyproject.toml; do
    resolve "$(basename "$(dirname "$stage")").txt" shared/pyproject.toml "$stage" --constraint "$out/all.txt"
done
# The cluster holds what its client asks for and the Spark that pyspark carries, which is the same package
# in full: never in one environment with pyspark-client.
resolve spark.txt --group spark --constraint "$out/all.txt"
# Airflow stands outside: it has its own constraints and never imports a stage.
resolve airflow.txt --group airflow
