"""SQL lives in named queries that say their purpose and their locking, and stay in their schema."""

import pytest

from tests.tidy import statements, tree


def query_files() -> list[str]:
    return [path for path in tree.written(".sql") if path.startswith(("services/", "libs/"))]


def test_every_query_has_a_name_and_a_purpose() -> None:
    found = [
        finding for path in query_files() for finding in statements.unnamed(path, tree.text(path))
    ]

    assert not found, "\n".join(found)


def test_every_skipped_lock_says_why() -> None:
    found = [
        finding
        for path in tree.written(".sql")
        if path != "migrations/schema.sql"
        for finding in statements.unsaid_locks(path, tree.text(path))
    ]

    assert not found, "\n".join(found)


def test_no_service_names_the_table_of_another() -> None:
    found: list[str] = []
    for path in query_files():
        parts = path.split("/")
        schema = statements.SCHEMA_OF.get(parts[1])
        if parts[0] == "services" and schema is not None:
            found += statements.foreign_tables(path, tree.text(path), schema)

    assert not found, "\n".join(found)


def test_no_query_is_written_inside_python() -> None:
    found = [
        f"{path}: SQL belongs into a .sql file beside its adapter"
        for path in tree.written(".py")
        if path.startswith("services/")
        and "/mainspring_local/" not in path
        and any(
            verb in tree.text(path).lower() for verb in ('"select ', '"insert into', '"update ')
        )
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "select 1;",
        "-- name: x\nselect 1;",
        "-- name:\n-- Reads a thing.\nselect 1;",
        "-- name: x\n-- Reads a thing.\nselect 1;\nselect 2;",
        "select 0;\n-- name: x\n-- Reads a thing.\nselect 1;",
    ],
)
def test_an_unnamed_or_purposeless_query_is_found(text: str) -> None:
    assert statements.unnamed("x.sql", text)


LOCKED = (
    "select id from t order by id limit $1\n-- Skips rows others work on.\nfor update skip locked"
)


@pytest.mark.parametrize("missing", ["order by id", "limit $1", "-- Skips rows others work on.\n"])
def test_an_unsaid_lock_is_found(missing: str) -> None:
    assert statements.unsaid_locks("x.sql", LOCKED.replace(missing, ""))
    assert not statements.unsaid_locks("x.sql", LOCKED)


def test_a_foreign_table_is_found_and_a_granted_function_passes() -> None:
    assert statements.foreign_tables("x.sql", "select * from log.event", "engine")
    assert not statements.foreign_tables("x.sql", "select * from log.append_v1($1)", "engine")
    assert not statements.foreign_tables("x.sql", "select * from engine.task", "engine")
