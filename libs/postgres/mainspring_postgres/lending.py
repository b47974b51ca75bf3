"""Lending connections from the pool."""

from typing import Protocol

from mainspring_postgres.statements import Connection


class Lender(Protocol):
    """Where a transaction gets its connection."""

    async def lend(self) -> Connection:
        """A connection for one use. Raises Unavailable."""
        ...

    async def take_back(self, connection: Connection) -> None:
        """Ends the use; a broken connection is replaced."""
        ...
