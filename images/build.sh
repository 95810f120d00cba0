#!/bin/sh
# Builds images: images/build.sh [TARGET...], a stage, a service or a group of images/bake.hcl.
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
    # A copy, as bake reads nothing outside the working directory unless it is allowed to.
    CA=.cache/ca-certificates.crt
    install -m 644 "$authorities" "$CA"
fi
# The tag that is run.
TAG=${SODAI_IMAGE_TAG:-latest}
VERSION=$(sed -n 's/^version = "\([^"]*\)".*/\1/p' pyproject.toml)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The engine's own builder, which is named like the context: no other has the base image, nor gives it the
# images that it makes.
BUILDX_BUILDER=$(docker context show)
export BUILDX_BUILDER CA TAG UV_VERSION VERSION REVISION

images/base.sh
if [ -t 1 ]; then
    exec docker buildx bake --file images/bake.hcl "$@"
fi
# Without a terminal the builder's thousand lines go to a file, and only the last of a failure are shown.
log=.cache/images.log
docker buildx bake --file images/bake.hcl --progress plain "$@" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    echo "images: the build failed; all of it is in $log" >&2
    exit 1
}
echo "images: built $(grep -ao 'naming to [^ ]*' "$log" | sort -u | wc -l) of revision $REVISION"
