#!/bin/sh
# Roles, then migrations: all of them, or with "pre" or "post" those alone. In the image, or in a
# checkout. DATABASE_URL names the superuser, the passwords of the roles are in the environment.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$root/migrations
case ${1:-} in
    '') ;;
    pre | post)
        folder=$(mktemp -d)
        trap 'rm -r "$folder"' EXIT
        cp "$root"/migrations/*_"$1"_*.sql "$folder"
        ;;
    *)
        echo "usage: migrate.sh [pre|post]" >&2
        exit 2
        ;;
esac
for role in API ENGINE LOG SCHEDULER VERIFY; do
    eval "password=\${MAINSPRING_${role}_PASSWORD:-}"
    if [ -z "$password" ]; then
        echo "migrate.sh: MAINSPRING_${role}_PASSWORD must be set" >&2
        exit 2
    fi
done
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" \
    -f "$root/infra/postgres/extensions.sql" -f "$root/infra/postgres/roles.sql"
# Not --strict: a version's `post` comes when later `pre` were applied.
dbmate --no-dump-schema --migration-lock --migrations-dir "$folder" up
