#!/usr/bin/env bash
# Runs the tests: run.sh [folder or file ...]. Where an engine answers, all of them run as two processes
# for two cores: those that need the engine, and the others, which are told first.
set -euo pipefail
cd "$(dirname "$0")/.."

IN_CONTAINERS="docker or compose"
LOG=.cache/tests-in-containers.log

leave_out() { # a marker expression, and why
    others="${others:+$others and }not ($1)"
    echo "test: $2"
}

tests() { .venv/bin/python -m pytest --durations 15 "$@"; }

others=
command -v chromium chromedriver >/dev/null ||
    leave_out browser "no chromium, tests that need it are left out; apt-get install chromium chromium-driver"
if ! docker version >/dev/null 2>&1 && [[ -z ${SODAI_REQUIRE_DOCKER:-} ]]; then
    leave_out "$IN_CONTAINERS" "no Docker engine answers, tests that need one are left out; make engine starts one"
    tests -m "$others" "$@"
    exit
fi
make --no-print-directory images
if (($# > 0)); then
    tests -m "$others" "$@"
    exit
fi

leave_out "$IN_CONTAINERS" "those in containers run beside the others, and are told after them"
# A job of its own, which an interrupt reaches by the trap alone, so that it takes its containers down.
set -m
tests -m "$IN_CONTAINERS" -o cache_dir=.cache/pytest-containers >"$LOG" 2>&1 &
beside=$!
set +m
trap 'kill -INT $beside 2>/dev/null; wait $beside' EXIT
status=0
tests -m "$others" || status=$?
wait $beside || status=$?
trap - EXIT
cat "$LOG"
exit $status
