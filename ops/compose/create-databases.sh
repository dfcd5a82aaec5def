#!/bin/sh
# Create the databases of worker and Prefect server, each with an owner that is no superuser. The image of PostgreSQL
# runs it once, for a new volume.
set -eu
psql --set ON_ERROR_STOP=1 --set worker="$ANALYTICS_DATABASE_PASSWORD" --set prefect="$PREFECT_DATABASE_PASSWORD" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
create role analytics login createrole password :'worker';
create database analytics owner analytics;
create role prefect login password :'prefect';
create database prefect owner prefect;
\connect prefect
create extension pg_trgm;
SQL
