#!/bin/sh
# Fills /opt/venv while an image is built: install.sh FILE... installs what requirement files pin;
# with a pool of installed packages at /pool, one file's are copied from there.
set -eu

if [ -s /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca
fi
export UV_CACHE_DIR=/tmp/uv-cache UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
/opt/uv/bin/uv venv --quiet --python /usr/bin/python3 /opt/venv
if [ -d /pool ]; then
    python3 /opt/uv/bin/select_packages.py "$1" /pool /opt/venv
    # Finds nothing left to install, or fails.
    export UV_OFFLINE=true
fi
for file in "$@"; do
    set -- "$@" --requirement "$file"
    shift
done
# Compiled here: without bytecode an import of MLflow takes several times longer, at every start.
/opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --compile-bytecode "$@"
