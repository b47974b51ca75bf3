"""The ledger goes up and down, and every query fits what it makes, as the role that sends it."""

from pathlib import Path

import pytest

from mainspring_local.environment import project_root
from mainspring_postgres.queries import parse_queries
from mainspring_testkit.fixtures import Database as OwnDatabase

ROOT = project_root()
MIGRATIONS = sorted((ROOT / "migrations").glob("[0-9]*.sql"))
ROLES = {
    "api": "api_run",
    "engine": "engine_run",
    "eventstore": "log_run",
    "scheduler": "scheduler_run",
    "local": "verify_run",
}
"""Service → who sends its queries."""
SENT_ELSEWHERE = {"recovery"}
"""By psql, with psql's own variables."""

EVERYTHING = """
    select string_agg(line, e'\\n' order by line) from (
        select format('%s.%s %s %s', n.nspname, c.relname, a.attname,
            format_type(a.atttypid, a.atttypmod)) as line
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('api', 'engine', 'log', 'scheduler') and a.attnum > 0
        union all
        select format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_arguments(p.oid))
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('api', 'engine', 'log', 'scheduler')
    ) as lines
"""


def query_files() -> list[Path]:
    found = ROOT.glob("services/*/mainspring_*/**/*.sql")
    return sorted(path for path in found if path.stem not in SENT_ELSEWHERE)


def blocks(path: Path) -> tuple[str, str]:
    up, _, down = path.read_text().partition("-- migrate:down")
    return up, down


@pytest.mark.parametrize("file", [path.relative_to(ROOT).as_posix() for path in query_files()])
def test_every_query_can_be_planned_by_the_role_that_sends_it(
    module_database: OwnDatabase, file: str
) -> None:
    queries = parse_queries((ROOT / file).read_text(), file)

    # A generic plan needs no values, but the tables, the types and the rights. Sent as one simple
    # query, because a plan of parameters is not itself a query of parameters.
    plans = [f"explain (generic_plan) {queries[name].sql}" for name in queries]
    role = ROLES[file.split("/")[1]]
    printed = module_database.sql(f"set role {role};" + ";".join(plans))

    assert printed.count("cost=") >= len(plans) > 0


def test_the_ledger_goes_down_to_nothing_and_up_to_the_same(database: OwnDatabase) -> None:
    before = database.sql(EVERYTHING)

    for path in reversed(MIGRATIONS):
        up, down = blocks(path)
        # From where it came down it goes up again: a deployment may be taken back and made anew.
        database.sql(down + up + down)
    gone = database.sql(EVERYTHING)
    for path in MIGRATIONS:
        database.sql(blocks(path)[0])

    assert gone.strip() == ""
    assert database.sql(EVERYTHING) == before


def test_no_login_role_owns_anything(database: OwnDatabase) -> None:
    owners = database.sql(
        "select distinct pg_get_userbyid(relowner) from pg_class c "
        "join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname in ('api', 'engine', 'log', 'scheduler')"
    )

    assert set(owners.split()) <= {"api_owner", "engine_owner", "log_owner", "scheduler_owner"}


def test_granted_functions_are_fixed_in_their_search_path_and_closed_to_the_public(
    database: OwnDatabase,
) -> None:
    loose = database.sql(
        "select format('%s.%s', n.nspname, p.proname) from pg_proc p "
        "join pg_namespace n on n.oid = p.pronamespace "
        "where n.nspname in ('api', 'engine', 'log', 'scheduler') and p.prosecdef "
        "and (not coalesce(p.proconfig, '{}')::text like '%search_path%' "
        "or has_function_privilege('verify_run', p.oid, 'execute'))"
    )

    assert loose.split() == []


def test_flights_of_plain_tasks_are_hashed_whatever_the_statistics_say(
    database: OwnDatabase,
) -> None:
    """An analyse that found the table nearly empty had each row compared with each other one."""
    planned_anew = database.sql(
        "select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
        "where n.nspname = 'engine' and p.proname ~ '^(submit|end|time_out)_tasks_v' "
        "and not coalesce(p.proconfig, '{}')::text like '%enable_nestloop=off%'"
    )

    assert planned_anew.split() == []
