#!/bin/sh
# Make the base of all images: Debian's slim image where a registry answers, else the same system built with
# debootstrap from the Debian archive named in the apt sources of this machine.
set -eu
# shellcheck source=images/debian.sh
. "$(dirname "$0")/debian.sh"

IMAGE=${1:-sodai/base:latest}
SUITE=trixie
# An unknown host or a closed port fails immediately; the timeout is for slow connections.
PULL_SECONDS=120

fail() {
    echo "images: $1" >&2
    exit 1
}

bootstrap() { # bootstrap FOLDER: install minbase, then remove caches, locales, manuals and logs
    command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap; } >/dev/null ||
        fail "no registry answers and debootstrap cannot be installed; run this as root on Debian"
    address=$(debian_archive)
    [ -n "$address" ] || fail "no registry answers and /etc/apt names no Debian archive, expected one of them"
    debootstrap --variant=minbase "$SUITE" "$1/system" "$address" >"$1/log" 2>&1 ||
        fail "debootstrap of $SUITE failed: $(tail -n 1 "$1/log")"
    rm -rf "$1"/system/var/cache/apt/archives/*.deb "$1"/system/var/lib/apt/lists/* "$1"/system/usr/share/locale/* \
        "$1"/system/usr/share/man/* "$1"/system/var/log/*
    find "$1/system/usr/share/doc" -type f ! -name copyright -delete
}

if docker image inspect "$IMAGE" >/dev/null 2>&1; then
    exit 0
fi
if timeout "$PULL_SECONDS" docker pull --quiet "debian:$SUITE-slim" >/dev/null 2>&1; then
    docker tag "debian:$SUITE-slim" "$IMAGE"
    echo "images: $IMAGE is Debian's own slim image"
    exit 0
fi
[ "$(id -u)" = 0 ] || fail "no registry answers and this user is $(id -un), expected root to build the base image"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bootstrap "$work"
tar --create --numeric-owner --one-file-system --directory "$work/system" . | docker import - "$IMAGE" >/dev/null
echo "images: $IMAGE is built with debootstrap"
