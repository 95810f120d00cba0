#!/bin/sh
# Completes .env, which docker-compose.yml reads: what it already holds stays, what is missing is generated.
set -eu
cd "$(dirname "$0")/.."

umask 077
touch .env
chmod 600 .env
# A last line without an end would take the next name in.
[ -z "$(tail -c 1 .env)" ] || echo >>.env

add() { # add NAME VALUE
    grep -q "^$1=." .env || printf '%s=%s\n' "$1" "$2" >>.env
}

random() { # random BYTES, in the alphabet that a Fernet key and a URL both take
    head -c "$1" /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_'
}

socket_group() { # as a container sees it: the engine may run in a machine of its own
    # Only the project's own image meets the socket, none that a registry has under its name.
    docker run --rm --pull never --volume /var/run/docker.sock:/socket sodai/base stat -c %g /socket 2>/dev/null || {
        echo "secrets: sodai/base cannot read the group of Docker's socket, expected an engine that has it; run make images" >&2
        return 1
    }
}

add AIRFLOW_DB_PASSWORD "$(random 24)"
add MLFLOW_DB_PASSWORD "$(random 24)"
add AIRFLOW_FERNET_KEY "$(random 32)"
add AIRFLOW_API_SECRET_KEY "$(random 32)"
add AIRFLOW_JWT_SECRET "$(random 48)"
add AIRFLOW_ADMIN_PASSWORD "$(random 15)"
grep -q "^DOCKER_GID=." .env || {
    group=$(socket_group)
    add DOCKER_GID "$group"
}
