#!/bin/sh
# Builds images: images/build.sh [TARGET...], a stage, a service or a group of images/bake.hcl.
set -eu
cd "$(dirname "$0")/.."

: "${UV_VERSION:?run make images}"
CA=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
[ -s "$CA" ] || CA=
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
export CA UV_VERSION VERSION REVISION

images/base.sh
docker buildx bake --file images/bake.hcl --progress "${PROGRESS:-plain}" "$@"
