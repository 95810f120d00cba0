# shellcheck shell=sh
# Functions about the Debian machine, sourced by engine.sh and base.sh.

# Print the first Debian archive in the apt sources of the machine, leaving out security archives.
debian_archive() { # debian_archive [FOLDER of apt's settings]
    folder=${1:-/etc/apt}
    # Cloud images name a list of mirrors, a file that contains only addresses.
    cat "$folder"/sources.list "$folder"/sources.list.d/*.list "$folder"/sources.list.d/*.sources \
        "$folder"/mirrors/*.list 2>/dev/null |
        sed -nE -e 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p' \
            -e 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' \
            -e 's/^(https?:[^[:space:]]+).*/\1/p' |
        grep -E '/debian/?$' | head -n 1
}
