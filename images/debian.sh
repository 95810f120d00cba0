# shellcheck shell=sh
# Sourced by engine.sh and base.sh: what both read of the Debian machine they run on.

# The first archive address in the machine's own apt sources that is no security archive.
debian_archive() { # debian_archive [FOLDER], of apt's settings
    folder=${1:-/etc/apt}
    # Images for clouds name a list of mirrors, which holds nothing but addresses.
    cat "$folder"/sources.list "$folder"/sources.list.d/*.list "$folder"/sources.list.d/*.sources \
        "$folder"/mirrors/*.list 2>/dev/null |
        sed -nE -e 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p' \
            -e 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' \
            -e 's/^(https?:[^[:space:]]+).*/\1/p' |
        grep -E '/debian/?$' | head -n 1
}
