#!/bin/sh
# Installs /tmp/requirements.txt into /opt/venv while an image is built.
set -eu

if [ -s /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca
fi
export UV_CACHE_DIR=/tmp/uv-cache UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
/opt/uv/bin/uv venv --quiet --python /usr/bin/python3 /opt/venv
# Compiled here: without bytecode an import of MLflow takes several times longer, at every start.
/opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --compile-bytecode \
    --requirement /tmp/requirements.txt
