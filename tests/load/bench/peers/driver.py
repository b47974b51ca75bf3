"""What a peer must be able to do, so that the same loads can be brought to each."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

Entered = Callable[[int], None]
"""Called by a handler with its task's number, first of all."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a peer lives; what it does not need is empty. All on loopback.

    Tasks of our own have one of so many `keys` there.
    """

    postgres: str = ""
    server: str = ""
    admin: str = ""
    handler_port: int = 0
    keys: int = 0


OWN = "mainspring"


class Driver(Protocol):
    """One peer, through the fast path that its own documents name."""

    async def prepare(self) -> None:
        """Makes tables and the like, once."""
        ...

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        """This process handles tasks and workflows until it is cancelled."""
        ...

    async def open(self) -> None:
        """Connects a caller."""
        ...

    async def close(self) -> None: ...

    async def submit(self, numbers: Sequence[int]) -> None:
        """Returns when the tasks are durable. More than one at once only where `batch` says so."""
        ...

    async def finished(self) -> int | None:
        """How many tasks were handled and their end committed, since the beginning.

        None where nobody counts: there `complete` waits for each.
        """
        ...

    async def complete(self, number: int) -> None:
        """Submits a task and waits until its end is committed."""
        ...

    async def workflow(self) -> None:
        """A workflow of three durable steps, from its start to its result."""
        ...
