#!/bin/sh
# Start one Airflow component in its container: start-airflow api-server, or init to prepare the database.
set -eu

case "$1" in
init)
    airflow db migrate
    # Write the DAG to the database now, so that it can be triggered as soon as the scheduler runs.
    airflow dags reserialize
    ;;
api-server)
    # The simple auth manager reads the passwords of its users from a file that must be writable.
    umask 077
    printf '{"admin": "%s"}\n' "$AIRFLOW_ADMIN_PASSWORD" >"$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    exec airflow "$@"
    ;;
*)
    exec airflow "$@"
    ;;
esac
