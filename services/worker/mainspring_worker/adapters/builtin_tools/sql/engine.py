"""One SQLite database in memory that can reach nothing but itself, and not for long."""

import sqlite3
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, TypeAlias, cast

from mainspring_schema.limits import HELD_READ_BYTES_MAX

STATEMENT_S: Final = 10.0
"""One call, all its statements together."""
_PAGE_BYTES: Final = 4096
_AGAIN_S: Final = 0.1
"""A statement that begins in the moment of an interrupt does not hear it."""
_LENGTH_MAX: Final = 1_000_000
_PATTERN_BYTES_MAX: Final = 500
"""Of LIKE and GLOB, which cost the text times the pattern and hear no interrupt: 0.6 s."""
Value: TypeAlias = str | int | float | bytes | None

_READS: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_CLOSED: Final = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA})
_CLOSED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "randomblob", "zeroblob"})


class SqlFailed(Exception):
    """What the statement was refused for; the text is for the model."""


@contextmanager
def opened(data: bytes, *, writes: bool) -> Generator[sqlite3.Connection]:
    """A database as it was kept; empty bytes are a new one. Raises SqlFailed."""
    # The driver must not begin and end transactions by itself: what runs here is one of ours.
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        try:
            if data:
                connection.deserialize(data)
            _bound(connection)
            connection.set_authorizer(_authorizer(writes=writes))
            with _interrupted_in_time(connection):
                yield connection
        except sqlite3.Error as problem:
            raise SqlFailed(str(problem)) from problem
        except (OverflowError, sqlite3.Warning) as problem:
            raise SqlFailed(str(problem)) from problem


def select(
    connection: sqlite3.Connection,
    sql: str,
    parameters: Sequence[Value],
    *,
    limit: int,
    chars_max: int,
) -> tuple[list[str], list[tuple[Value, ...]]]:
    """Names of the columns, and one row more than `limit` or `chars_max` where there are more."""
    cursor = connection.execute(sql, tuple(parameters))
    columns = [str(column[0]) for column in cursor.description or ()]
    rows: list[tuple[Value, ...]] = []
    for row in cast("Iterator[tuple[Value, ...]]", cursor):
        rows.append(row)
        chars_max -= sum(len(value) for value in row if isinstance(value, str))
        if len(rows) > limit or chars_max < 0:
            break
    return columns, rows


def change(connection: sqlite3.Connection, sql: str, parameters: Sequence[Value]) -> int:
    """How many rows the statements changed together. Raises what sqlite raises; then none did."""
    before = connection.total_changes
    connection.execute("begin")
    if parameters:
        connection.execute(sql, tuple(parameters))
    else:
        for statement in statements(sql):
            connection.execute(statement)
    if connection.in_transaction:
        connection.execute("commit")
    return connection.total_changes - before


def kept(connection: sqlite3.Connection) -> bytes:
    """The database as bytes."""
    connection.set_authorizer(None)  # SQLite asks itself a pragma for it
    return connection.serialize()


def statements(sql: str) -> list[str]:
    """A script cut where SQLite says that a statement is complete."""
    found: list[str] = []
    pending = ""
    for part in sql.split(";"):
        pending += f"{part};"
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    rest = pending.rstrip("; \n\t\r")
    return [one for one in (*found, rest) if one.strip("; \n\t\r")]


def _bound(connection: sqlite3.Connection) -> None:
    connection.execute(f"pragma max_page_count = {HELD_READ_BYTES_MAX // _PAGE_BYTES}")
    connection.execute("pragma trusted_schema = off")
    connection.execute("pragma temp_store = memory")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LENGTH_MAX)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _PATTERN_BYTES_MAX)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)


@contextmanager
def _interrupted_in_time(connection: sqlite3.Connection) -> Generator[None]:
    """From a thread of its own: asked between its instructions, SQLite waits for the worker's."""
    over = threading.Event()

    def watch() -> None:
        wait_s = STATEMENT_S
        while not over.wait(wait_s):
            connection.interrupt()
            wait_s = _AGAIN_S

    watching = threading.Thread(target=watch, name="mainspring-sql", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()  # nobody interrupts what is closed


def _authorizer(*, writes: bool) -> "_Authorizer":
    return _Authorizer(writes=writes)


class _Authorizer:
    """Asked by SQLite while it reads a statement."""

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes

    def __call__(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        trigger: str | None,
    ) -> int:
        del database, trigger
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _CLOSED_FUNCTIONS:
            return sqlite3.SQLITE_DENY
        if action in _CLOSED:
            return sqlite3.SQLITE_DENY
        if action in _READS or self._writes:
            return sqlite3.SQLITE_OK
        del first
        return sqlite3.SQLITE_DENY
