#!/bin/sh
# Builds images: images/build.sh [TARGET...], a stage, a service or a group of images/bake.hcl.
set -eu
cd "$(dirname "$0")/.."

: "${UV_VERSION:?run make images}"
CA=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
[ -s "$CA" ] || CA=
VERSION=$(sed -n 's/^version = "\([^"]*\)".*/\1/p' pyproject.toml)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
export CA UV_VERSION VERSION REVISION

images/base.sh
if [ -t 1 ]; then
    exec docker buildx bake --file images/bake.hcl "$@"
fi
# Without a terminal the builder's thousand lines go to a file, and only the last of a failure are shown.
log=.cache/images.log
mkdir -p .cache
docker buildx bake --file images/bake.hcl --progress plain "$@" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    echo "images: the build failed; all of it is in $log" >&2
    exit 1
}
echo "images: built $(grep -ao 'naming to [^ ]*' "$log" | sort -u | wc -l) of revision $REVISION"
