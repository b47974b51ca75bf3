# Creates the roles and applies the migrations, then ends; the services wait for it.
FROM ghcr.io/amacneil/dbmate:2.37 AS dbmate
FROM postgres:18
COPY --from=dbmate /usr/local/bin/dbmate /usr/local/bin/dbmate
COPY infra/postgres /postgres
COPY migrations /migrations
USER postgres
CMD ["sh", "-ec", "psql -X -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -f /postgres/extensions.sql -f /postgres/roles.sql && exec dbmate --no-dump-schema --migration-lock --migrations-dir /migrations --wait up --strict"]
