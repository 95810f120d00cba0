#!/bin/sh
# Starts one Airflow component in its container: start-airflow api-server, or init to prepare the database.
set -eu

case "$1" in
init)
    airflow db migrate
    # In the database before anything is up: the DAG can be triggered as soon as the scheduler runs.
    airflow dags reserialize
    ;;
api-server)
    # The simple auth manager reads its users' passwords from a file that it must be able to write.
    umask 077
    printf '{"admin": "%s"}\n' "$AIRFLOW_ADMIN_PASSWORD" >"$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    exec airflow "$@"
    ;;
*)
    exec airflow "$@"
    ;;
esac
