"""Lending connections from the pool."""

import logging

import asyncpg

from mainspring_postgres.errors import translate
from mainspring_postgres.statements import Connection, raise_ours

_log = logging.getLogger(__name__)


class Lending:
    """Lends a pool's connections, and keeps those that come back well for the next use.

    A way through asyncpg's pool is a task and three passes of the loop, for which whoever sent
    the statement would wait: a twentieth of the engine's CPU where flights are small.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._kept: list[Connection] = []
        self._asking = 0
        self._closing = False

    async def lend(self) -> Connection:
        """A connection for one use. Raises Unavailable where none is free in time."""
        while self._kept:
            connection = self._kept.pop()
            if _is_open(connection):
                return connection
            await self._release(connection)
        # A wait with a bound is a task of its own, which nobody needs where one is idle.
        wait_s = None if self._pool.get_idle_size() else self._acquire_timeout_s
        self._asking += 1
        try:
            return await self._pool.acquire(timeout=wait_s)
        except Exception as error:
            raise raise_ours(error) from error
        finally:
            self._asking -= 1

    async def take_back(self, connection: Connection, *, well: bool) -> None:
        """Ends the use. Where it failed, or somebody waits for a connection, the pool has it.

        The pool sees to what a use may have left behind, and replaces what is broken.
        """
        if well and not (self._asking or self._closing):
            self._kept.append(connection)
        else:
            await self._release(connection)

    async def close(self) -> None:
        """Gives back what is kept; from now on nothing is."""
        self._closing = True
        while self._kept:
            await self._release(self._kept.pop())

    async def _release(self, connection: Connection) -> None:
        try:
            await self._pool.release(connection)
        except Exception as error:
            if translate(error) is None:
                raise
            _log.debug("a connection was lost while it went back to the pool: %s", error)


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False  # It was lost while it was kept, and went back to the pool by itself.
