# shellcheck shell=sh
# Sourced by engine.sh and base.sh: what both read of the Debian machine they run on.

# The first archive address in the machine's own apt sources that is no security archive.
debian_archive() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        sed -nE -e 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p' \
            -e 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
        grep -E '/debian/?$' | head -n 1
}
