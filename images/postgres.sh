#!/bin/sh
# Create the missing cluster, roles and databases, then start PostgreSQL.
set -eu

if [ ! -d "$PGDATA" ]; then
    # Rename the cluster when it is complete, so that an interrupted first start begins again.
    rm -rf "$PGDATA.new"
    initdb --pgdata "$PGDATA.new" --encoding UTF8 --locale C.UTF-8 --auth-local peer --auth-host scram-sha-256 >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA.new/pg_hba.conf"
    mv "$PGDATA.new" "$PGDATA"
fi

# Listen on the socket only until roles and passwords match .env, which may have been regenerated.
pg_ctl start --silent --wait --options "-c listen_addresses=''"
for name in airflow mlflow; do
    case $name in
    airflow) password=$AIRFLOW_DB_PASSWORD ;;
    mlflow) password=$MLFLOW_DB_PASSWORD ;;
    esac
    psql --quiet --set ON_ERROR_STOP=1 --set name="$name" --set password="$password" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'name', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', :'name') \gexec
SQL
done
pg_ctl stop --silent --wait --mode fast

exec postgres -c "listen_addresses=*"
