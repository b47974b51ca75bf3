"""Databases of a session: they keep what was written, and lead nowhere else."""

from pathlib import Path
from typing import cast

import pytest

from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.sql import engine, tools
from mainspring_worker.ports.tool import ToolContext
from tests.unit.builtin_tools.calling import Caller

SQL = "session_sql_database"


async def execute(caller: Caller, sql: str, *parameters: object) -> Json:
    return await caller.result(SQL, "sql_execute", sql=sql, parameters=list(parameters))


async def rows(caller: Caller, sql: str, *parameters: object) -> list[list[object]]:
    found = await caller.result(SQL, "sql_query", sql=sql, parameters=list(parameters))
    return cast("list[list[object]]", found["rows"])


@pytest.fixture
async def caller(caller: Caller) -> Caller:
    """With a table of three rows."""
    await execute(
        caller,
        "create table item (id integer primary key, name text not null, price real);"
        "insert into item (name, price) values ('a;b', 1.5), ('c', 2), ('d', null); -- done",
    )
    return caller


async def test_what_was_written_is_read(caller: Caller) -> None:
    changed = await execute(caller, "update item set price = ? where id > ?", 9.5, 1)

    assert changed["rows_changed"] == 2
    assert await rows(caller, "select * from item where name <> ?", "c") == [
        [1, "a;b", 1.5],
        [3, "d", 9.5],
    ]


async def test_a_schema_is_told(caller: Caller) -> None:
    told = await caller.result(SQL, "sql_schema")

    (table,) = cast("list[Json]", told["tables"])
    assert (table["name"], table["type"]) == ("item", "table")
    assert table["columns"] == [
        {"name": "id", "type": "INTEGER", "not_null": False, "primary_key": True},
        {"name": "name", "type": "TEXT", "not_null": True},
        {"name": "price", "type": "REAL", "not_null": False},
    ]


async def test_databases_are_apart_and_are_files_of_the_workspace(caller: Caller) -> None:
    await caller.result(SQL, "sql_execute", sql="create table x (a)", database="other")

    listed = await caller.result("session_file_system", "glob", pattern="**/*.sqlite")
    assert listed["paths"] == [
        "/workspace/.databases/main.sqlite",
        "/workspace/.databases/other.sqlite",
    ]
    assert "no such table" in await caller.refusal(
        SQL, "sql_query", sql="select * from item", database="other"
    )


async def test_statements_take_effect_together_or_not_at_all(caller: Caller) -> None:
    refusal = await caller.refusal(
        SQL, "sql_execute", sql="delete from item; insert into item (id) values (1)"
    )

    assert "NOT NULL" in refusal
    assert await rows(caller, "select count(*) from item") == [[3]]


async def test_a_second_attempt_changes_nothing_again(caller: Caller) -> None:
    wanted: Json = {"sql": "insert into item (name) values ('e')"}
    first = await caller.call(SQL, "sql_execute", wanted)

    again = await caller.call(SQL, "sql_execute", wanted, attempt_of=caller.calls)
    assert again == first
    assert await rows(caller, "select count(*) from item") == [[4]]


async def test_calls_at_once_lose_nothing(caller: Caller) -> None:
    kept = tools._read
    interrupted = False

    async def read(arguments: Json, context: ToolContext) -> object:
        nonlocal interrupted
        found = await kept(arguments, context)
        if not interrupted:
            interrupted = True
            await execute(caller, "insert into item (name) values ('first')")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tools, "_read", read)
        await execute(caller, "insert into item (name) values ('second')")
    names = await rows(caller, "select name from item where id > 3 order by id")
    assert names == [["first"], ["second"]]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into item (name) values ('x')",
        "drop table item",
        "attach 'x.db' as x",
        "pragma table_list",
        "select load_extension('x')",
        "select 1; select 2",
        "no sql",
        "vacuum into 'x.db'",
    ],
)
async def test_a_query_only_reads(
    caller: Caller, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert await caller.refusal(SQL, "sql_query", sql=sql)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    ["attach 'x.db' as x", "vacuum into 'x.db'", "pragma journal_mode = wal", "detach main"],
)
async def test_a_change_leads_nowhere_else(
    caller: Caller, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert await caller.refusal(SQL, "sql_execute", sql=sql)
    assert list(tmp_path.iterdir()) == []


async def test_a_statement_that_never_ends_is_ended(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "STATEMENT_S", 0.1)
    endless = "with recursive n (i) as (select 1 union all select i + 1 from n) "

    assert "interrupted" in await caller.refusal(
        SQL, "sql_query", sql=f"{endless}select max(i) from n"
    )
    assert await caller.refusal(
        SQL, "sql_execute", sql=f"insert into item (name) {endless}select i from n"
    )


async def test_a_pattern_that_is_long_is_refused(caller: Caller) -> None:
    sql = "select printf('%.*c', 900000, 'x') like '%' || printf('%.*c', 25000, 'x') || 'y%'"

    assert "pattern too complex" in await caller.refusal(SQL, "sql_query", sql=sql)


async def test_rows_that_are_not_shown_are_not_fetched(caller: Caller) -> None:
    endless = "with recursive n (i) as (select 1 union all select i + 1 from n) "

    found = await caller.result(
        SQL, "sql_query", sql=f"{endless}select i, printf('%.*c', 900000, 'x') from n", limit=500
    )

    assert (found["row_count"], found["reason"]) == (0, "size_cap")


async def test_a_database_fills_up_to_its_bound(caller: Caller) -> None:
    grow = (
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000) "
        "insert into item (name) select printf('%.100c', 'x') from n"
    )

    assert "full" in await caller.refusal(SQL, "sql_execute", sql=grow)
    assert await rows(caller, "select count(*) from item") == [[3]]


async def test_long_answers_are_cut(caller: Caller) -> None:
    found = await caller.result(SQL, "sql_query", sql="select * from item", limit=2)

    assert (found["row_count"], found["truncated"], found["reason"]) == (2, True, "row_cap")


async def test_a_file_that_is_no_database_says_so(caller: Caller) -> None:
    await caller.result(
        "session_file_system", "write_file", path=".databases/bad.sqlite", content="x" * 5000
    )

    refusal = await caller.refusal(SQL, "sql_query", sql="select 1 from a", database="bad")
    assert "not a database" in refusal
