#!/bin/sh
# Fill /opt/venv while an image is built: install.sh FILE... installs the packages of requirement files; where
# /pool has an environment with all packages, those of one file are copied from there.
set -eu

if [ -s /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca
fi
export UV_CACHE_DIR=/tmp/uv-cache UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
/opt/uv/bin/uv venv --quiet --python /usr/bin/python3 /opt/venv
if [ -d /pool ]; then
    python3 /opt/uv/bin/select_packages.py "$1" /pool /opt/venv
    # The install below must find every package already copied; offline, a missing one fails.
    export UV_OFFLINE=true
fi
for file in "$@"; do
    set -- "$@" --requirement "$file"
    shift
done
# Compile now: without bytecode, importing MLflow takes several times longer at every start.
/opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --compile-bytecode "$@"
