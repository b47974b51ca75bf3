"""One SQLite database in memory that can reach nothing but itself, and not for long."""

import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from typing import Final, TypeAlias

from mainspring_schema.limits import HELD_READ_BYTES_MAX

STATEMENT_S: Final = 10.0
"""One call, all its statements together."""
_PAGE_BYTES: Final = 4096
_STEPS: Final = 10_000
"""Instructions between two looks at the clock: well under a millisecond."""
_LENGTH_MAX: Final = 1_000_000
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
            yield connection
        except sqlite3.Error as problem:
            raise SqlFailed(str(problem)) from problem
        except (OverflowError, sqlite3.Warning) as problem:
            raise SqlFailed(str(problem)) from problem


def select(
    connection: sqlite3.Connection, sql: str, parameters: Sequence[Value], *, limit: int
) -> tuple[list[str], list[tuple[Value, ...]]]:
    """Names of the columns, and one row more than `limit` where there are more."""
    cursor = connection.execute(sql, tuple(parameters))
    columns = [str(column[0]) for column in cursor.description or ()]
    rows: list[tuple[Value, ...]] = cursor.fetchmany(limit + 1)
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
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    ends = time.monotonic() + STATEMENT_S
    connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)


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
