#!/bin/sh
# Complete .env, which docker-compose.yml reads: keep its values and generate the missing ones.
set -eu
cd "$(dirname "$0")/.."

umask 077
touch .env
chmod 600 .env
# End the last line, or the next name would be appended to it.
[ -z "$(tail -c 1 .env)" ] || echo >>.env

add() { # add NAME VALUE
    grep -q "^$1=." .env || printf '%s=%s\n' "$1" "$2" >>.env
}

random() { # random BYTES, in the alphabet that both a Fernet key and a URL accept
    head -c "$1" /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_'
}

socket_group() { # the group as a container sees it, since the engine may run in a virtual machine
    # Never pull: only the image built here may get the socket, not one of that name from a registry.
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
