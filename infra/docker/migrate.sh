#!/bin/sh
# Run by migrate.Dockerfile; DATABASE_URL names the superuser, the passwords are in the environment.
set -eu
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -f /postgres/extensions.sql -f /postgres/roles.sql
exec dbmate --no-dump-schema --migration-lock --migrations-dir /migrations up --strict
