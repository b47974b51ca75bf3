import asyncio
from typing import cast

import asyncpg
import msgspec
import pytest

from mainspring_kernel.errors import Unavailable, rebuild
from mainspring_postgres import LockTimeout, QueryFailed, Row, RowMismatch, UniqueViolation
from mainspring_postgres.completion import finished
from mainspring_postgres.errors import translate
from mainspring_postgres.queries import QueryFileError, parse_queries
from mainspring_postgres.rows import decode, decode_value
from mainspring_postgres.statements import rows_touched

FILE = """-- Queries of the timer adapter.

-- name: due_timers
-- Timers that are due, oldest first.
-- repeatable
select id
-- Skips what another sweep holds.
from engine.timer where due <= $1;

-- name: fire
-- Marks one as fired.
update engine.timer set fired = true where id = $1
"""


def test_queries_are_read_with_name_purpose_and_mark() -> None:
    queries = parse_queries(FILE, "timers.sql")

    due = queries["due_timers"]
    assert list(queries) == ["due_timers", "fire"]
    assert (due.purpose, due.repeatable) == ("Timers that are due, oldest first.", True)
    assert due.sql.startswith("select id")
    assert due.sql.endswith("due <= $1")
    assert not queries["fire"].repeatable


def test_an_unknown_query_is_named_with_its_file() -> None:
    with pytest.raises(KeyError, match=r"timers.sql has no query 'dew_timers'"):
        parse_queries(FILE, "timers.sql")["dew_timers"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1;\n-- name: x\n-- why\nselect 1", "before the first name"),
        ("-- name: x\nselect 1", "no line of purpose"),
        ("-- name: x\n-- repeatable\nselect 1", "no line of purpose"),
        ("-- name: x\n-- why\n", "no SQL"),
        ("-- name: x\n-- why\n-- only a comment\n;", "no SQL"),
        ("-- name: X-1\n-- why\nselect 1", "no free snake_case name"),
        ("-- name: x\n-- why\nselect 1;\n-- name: x\n-- why\nselect 2", "no free snake_case"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(QueryFileError, match=complaint):
        parse_queries(text, "x.sql")


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str | None = None


def rows(*values: dict[str, object]) -> list[Row]:
    """Only a server makes records; a dictionary has what is used of them."""
    return cast("list[Row]", list(values))


def test_rows_become_structs() -> None:
    assert decode(Pair, rows({"id": 1, "name": None})) == [Pair(id=1)]
    assert decode(Pair, []) == []


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1},
        {"id": 1, "name": "x", "more": 1},
        {"id": "1", "name": "x"},
        {"id": None, "name": "x"},
    ],
)
def test_a_row_that_is_not_the_struct_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(RowMismatch, match="Pair"):
        decode(Pair, rows(row))


def test_a_single_value_is_checked() -> None:
    assert decode_value(int, 3) == 3
    with pytest.raises(RowMismatch, match="int"):
        decode_value(int, None)


@pytest.mark.parametrize(("tag", "count"), [("INSERT 0 3", 3), ("UPDATE 12", 12), ("BEGIN", 0)])
def test_a_command_tag_tells_the_rows_it_touched(tag: str, count: int) -> None:
    assert rows_touched(tag) == count


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (asyncpg.AdminShutdownError("x"), Unavailable),
        (asyncpg.CannotConnectNowError("x"), Unavailable),
        (asyncpg.TooManyConnectionsError("x"), Unavailable),
        (asyncpg.ConnectionDoesNotExistError("x"), Unavailable),
        (asyncpg.InterfaceError("connection is closed"), Unavailable),
        (ConnectionRefusedError("x"), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.LockNotAvailableError("x"), LockTimeout),
        (asyncpg.UniqueViolationError("x"), UniqueViolation),
        (asyncpg.UndefinedTableError("x"), QueryFailed),
    ],
)
def test_errors_of_the_driver_become_ours(raised: Exception, ours: type[Exception]) -> None:
    assert type(translate(raised)) is ours


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (TimeoutError(), "no answer in time"),
        (OSError(), "OSError"),
        (ConnectionRefusedError("port 1"), "port 1"),
    ],
)
def test_a_server_that_is_away_is_told_with_a_reason(raised: Exception, reason: str) -> None:
    told = translate(raised)

    assert told is not None
    assert told.detail == f"Postgres cannot be reached: {reason}"


@pytest.mark.parametrize("mistake", [ValueError("x"), asyncpg.InterfaceError("wrong arguments")])
def test_a_callers_mistake_stays_what_it_is(mistake: Exception) -> None:
    assert translate(mistake) is None


def test_a_refused_statement_crosses_the_wire_as_an_internal_error() -> None:
    failed = QueryFailed("42P01", "no such table")

    assert rebuild(failed.code, failed.detail).status == 500


async def test_work_is_finished_although_its_caller_is_cancelled() -> None:
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        ended.set()

    caller = asyncio.create_task(finished(work()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_a_failure_behind_a_cancelled_caller_is_not_reported_as_forgotten() -> None:
    may_end = asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        raise ValueError

    caller = asyncio.create_task(finished(work()))
    await asyncio.sleep(0)
    caller.cancel()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
