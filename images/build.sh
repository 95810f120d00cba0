#!/bin/sh
# Build images: images/build.sh [TARGET...], where a target is a stage, a service or a group of images/bake.hcl.
set -eu
cd "$(dirname "$0")/.."

: "${UV_VERSION:?run make images}"

fail() {
    echo "images: $1" >&2
    exit 1
}

docker version >/dev/null 2>&1 ||
    fail "no Docker engine answers this user; make engine starts one on Debian, or join the group docker"
docker buildx version >/dev/null 2>&1 ||
    fail "Docker's Buildx is missing; on Debian or Ubuntu: apt-get install docker-buildx"

mkdir -p .cache
authorities=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
CA=
if [ -s "$authorities" ]; then
    # Copy the file, because bake reads nothing outside the working directory without extra permission.
    CA=.cache/ca-certificates.crt
    install -m 644 "$authorities" "$CA"
fi
# The DAG and docker-compose.yml run images of the same tag.
TAG=${SODAI_IMAGE_TAG:-latest}
VERSION=$(sed -n 's/^version = "\([^"]*\)".*/\1/p' pyproject.toml)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# Use the engine's own builder, which has the name of the context: another builder has no base image and would
# not load the images that it builds into the engine.
BUILDX_BUILDER=$(docker context show)
export BUILDX_BUILDER CA TAG UV_VERSION VERSION REVISION

images/base.sh
if [ -t 1 ]; then
    exec docker buildx bake --file images/bake.hcl "$@"
fi
# Without a terminal the log of the builder goes to a file, and a failure prints its last lines.
log=.cache/images.log
docker buildx bake --file images/bake.hcl --progress plain "$@" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    echo "images: the build failed; the full log is $log" >&2
    exit 1
}
echo "images: built $(grep -ao 'naming to [^ ]*' "$log" | sort -u | wc -l) of revision $REVISION"
