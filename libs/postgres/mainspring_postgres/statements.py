"""Running statements on one connection, counted, with errors of the house."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from mainspring_kernel.errors import MainspringError
from mainspring_postgres.errors import translate
from mainspring_postgres.queries import Query
from mainspring_postgres.rows import Row, decode, decode_value

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
# A string: asyncpg's class is generic in its stubs only.
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class StatementCount:
    """How many statements a pool sent, by name; BEGIN, COMMIT and ROLLBACK are counted too.

    The bench reads it: statements per turn is a figure we promise.
    """

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """All statements since start or the last reset."""
        return self.by_name.total()

    def reset(self) -> None:
        """Starts counting anew."""
        self.by_name.clear()


def raise_ours(error: Exception) -> MainspringError:
    """The error of the house to raise in place of `error`; re-raises what is not the database's."""
    ours = translate(error)
    if ours is None:
        raise error
    return ours


class Fetching(Protocol):
    """Whatever sends a statement and has its rows."""

    async def fetch(self, query: Query, *args: object) -> list[Row]:
        """All rows."""
        ...


class Reading:
    """What is made of rows, wherever the statement was sent; mixed into what fetches."""

    async def fetch_as(self: Fetching, struct: type[S], query: Query, *args: object) -> list[S]:
        """All rows as structs. Raises RowMismatch."""
        return decode(struct, await self.fetch(query, *args))

    async def fetchrow_as(self: Fetching, struct: type[S], query: Query, *args: object) -> S | None:
        """The first row as a struct, or None. Raises RowMismatch."""
        rows = await self.fetch(query, *args)
        return decode(struct, rows[:1])[0] if rows else None

    async def fetchval_as(self: Fetching, type_: type[T], query: Query, *args: object) -> T:
        """The first column of the first row, NULL where there is none. Raises RowMismatch."""
        rows = await self.fetch(query, *args)
        return decode_value(type_, rows[0][0] if rows else None)


class Statements(Reading):
    """The ways to run a statement on one connection."""

    def __init__(self, connection: Connection, count: StatementCount) -> None:
        self._connection = connection
        self._count = count

    async def fetch(self, query: Query, *args: object) -> list[Row]:
        """All rows."""
        self._count.by_name[query.name] += 1
        try:
            return await self._connection.fetch(query.sql, *args)
        except Exception as error:
            raise raise_ours(error) from error

    async def execute(self, query: Query, *args: object) -> int:
        """Runs it and returns how many rows it touched."""
        self._count.by_name[query.name] += 1
        try:
            status = await self._connection.execute(query.sql, *args)
        except Exception as error:
            raise raise_ours(error) from error
        return rows_touched(status)

    async def executemany(self, query: Query, rows: Iterable[Sequence[object]]) -> None:
        """Runs it once per row, pipelined and all or nothing."""
        self._count.by_name[query.name] += 1
        try:
            await self._connection.executemany(query.sql, rows)
        except Exception as error:
            raise raise_ours(error) from error


def rows_touched(status: str) -> int:
    """The count in a command tag such as `INSERT 0 3`; 0 where it has none."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0
