"""A transaction: one `async with` per use case, READ COMMITTED, ended whatever happens."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final

import asyncpg

from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_postgres.completion import finished
from mainspring_postgres.errors import lost_connection
from mainspring_postgres.lending import Lending
from mainspring_postgres.statements import Connection, StatementCount, Statements, raise_ours

_BEGIN: Final = "begin"
_COMMIT: Final = "commit"
_ROLLBACK: Final = "rollback"


class Transaction(Statements):
    """The statements between BEGIN and COMMIT."""


class TransactionScope:
    """Lends a connection, begins on entry, commits or rolls back on exit."""

    def __init__(self, lending: Lending, count: StatementCount, *, begin: str = _BEGIN) -> None:
        self._lending = lending
        self._count = count
        self._begin_sql = begin
        self._connection: Connection | None = None

    async def __aenter__(self) -> Transaction:
        """Raises Unavailable where no connection can be had."""
        try:
            self._connection = await self._begun()
        except MainspringError as error:
            if not lost_connection(error):
                raise
            # Nothing was sent but BEGIN, so another connection may simply try.
            self._connection = await self._begun()
        return Transaction(self._connection, self._count)

    async def _begun(self) -> Connection:
        connection = await self._lending.lend()
        try:
            await _run(connection, self._count, self._begin_sql)
        except asyncio.CancelledError:
            # BEGIN was on its way, and begins a transaction all the same.
            await finished(self._end(connection, failed=True))
            raise
        except BaseException:
            await self._lending.take_back(connection, well=False)
            raise
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raises Unavailable with `outcome: unknown` where the answer to COMMIT was lost."""
        connection, self._connection = self._connection, None
        assert connection is not None  # noqa: S101 - __aexit__ without __aenter__ is impossible
        await finished(self._end(connection, failed=kind is not None))

    async def _end(self, connection: Connection, *, failed: bool) -> None:
        well = False
        try:
            if failed:
                await _roll_back(connection, self._count)
            else:
                await _commit(connection, self._count)
                well = True
        finally:
            await self._lending.take_back(connection, well=well)


async def _commit(connection: Connection, count: StatementCount) -> None:
    try:
        tag = await _run(connection, count, _COMMIT)
    except Unavailable as error:
        raise _unknown_outcome(error) from error
    if tag.upper() != "COMMIT":
        # Postgres answers ROLLBACK to the COMMIT of a transaction in which a statement failed.
        message = "a statement of this transaction failed, and its error was swallowed"
        raise MainspringError(message)


def _unknown_outcome(error: Unavailable) -> Unavailable:
    unknown = Unavailable(f"the answer to COMMIT was lost: {error.detail}")
    unknown.data = {"outcome": "unknown"}
    return unknown


async def _roll_back(connection: Connection, count: StatementCount) -> None:
    try:
        if connection.is_closed():
            return  # the server rolls back by itself
        await _run(connection, count, _ROLLBACK)
    except (MainspringError, asyncpg.InterfaceError):
        # The error that brought us here matters more, and without its connection the
        # transaction ends all the same. One that was lost may have left us already.
        with suppress(asyncpg.InterfaceError):
            connection.terminate()


async def _run(connection: Connection, count: StatementCount, sql: str) -> str:
    count.by_name[sql] += 1
    try:
        return await connection.execute(sql)
    except Exception as error:
        raise raise_ours(error) from error
