#!/bin/sh
# Install what a Docker engine needs on a Debian machine, start the engine and wait until it answers.
#
# Debian 12 has no Compose 2 and no Buildx, so the packages come from Debian 13, from the archive named in the
# apt sources of this machine. Pins keep all other packages of that suite out.
set -eu
# shellcheck source=images/debian.sh
. "$(dirname "$0")/debian.sh"

SUITE=trixie
PACKAGES="docker.io docker-cli docker-compose docker-buildx containerd"
SOURCES=/etc/apt/sources.list.d/sodai-$SUITE.sources
PINS=/etc/apt/preferences.d/sodai-$SUITE
LOG=/var/log/sodai-dockerd.log
WAIT_SECONDS=90

fail() {
    echo "engine: $1" >&2
    exit 1
}

answers() {
    timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null
}

is_installed() {
    command -v dockerd >/dev/null && docker compose version >/dev/null 2>&1 &&
        docker buildx version >/dev/null 2>&1
}

add_suite() {
    # shellcheck source=/dev/null
    . /etc/os-release
    [ "${VERSION_CODENAME:-}" != "$SUITE" ] || return 0
    address=$(debian_archive)
    [ -n "$address" ] || fail "no Debian archive in /etc/apt, expected one to read the suite $SUITE from"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$address" "$SUITE" /usr/share/keyrings/debian-archive-keyring.gpg >"$SOURCES"
    # Priority 100 never replaces an installed package; only the packages named below are preferred.
    printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n\n' "$SUITE" >"$PINS"
    printf 'Package: %s\nPin: release n=%s\nPin-Priority: 990\n' "$PACKAGES" "$SUITE" >>"$PINS"
}

install_packages() {
    [ "$(id -u)" = 0 ] || fail "the engine is not installed and this user is $(id -un), expected root to install it"
    command -v apt-get >/dev/null || fail "no apt-get here; install a Docker engine with Compose and Buildx by hand"
    add_suite
    apt-get update -qq >/dev/null || fail "apt-get update failed; run it by hand to see why"
    # shellcheck disable=SC2086  # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $PACKAGES iptables \
        >"$LOG" 2>&1 || fail "the packages did not install: $(tail -n 1 "$LOG")"
}

running() { # running PIDFILE NAME: succeed if the process in the file is that program; a zombie has no exe
    [ -f "$1" ] && [ "$(basename "$(readlink "/proc/$(cat "$1")/exe")")" = "$2" ]
}

clear_leftovers() { # a killed engine leaves pid files and sockets
    running /var/run/docker.pid dockerd || rm -f /var/run/docker.pid /var/run/docker.sock
    running /var/run/docker/containerd/containerd.pid containerd ||
        rm -f /var/run/docker/containerd/containerd.pid /var/run/docker/containerd/*.sock*
}

mount_cgroups() { # a bare machine without an init system may not have them
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup ||
        fail "no control groups at /sys/fs/cgroup and none can be mounted"
}

start() {
    [ "$(id -u)" = 0 ] || fail "no engine answers this user ($(id -un)); start it as root or join the group docker"
    if [ -d /run/systemd/system ]; then
        systemctl start docker || fail "systemctl start docker failed; see journalctl -u docker"
        return
    fi
    mount_cgroups
    clear_leftovers
    # A new session, so that the engine survives the shell that starts it.
    setsid nohup dockerd >"$LOG" 2>&1 </dev/null &
}

wait_until_it_answers() {
    end=$(($(date +%s) + WAIT_SECONDS))
    until version=$(answers); do
        [ "$(date +%s)" -lt "$end" ] || fail "no answer after $WAIT_SECONDS s: $(tail -n 1 "$LOG" 2>/dev/null)"
        sleep 1
    done
    echo "engine: Docker $version answers"
}

if version=$(answers) && docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then
    echo "engine: Docker $version already answers"
    exit 0
fi
is_installed || install_packages
answers >/dev/null || start
wait_until_it_answers
