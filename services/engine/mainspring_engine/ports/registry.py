"""Which workers there are, and which engine process holds the stream of each.

Postgres and memory pass the same contract suite. Nothing here decides who gets a task: the engine
that has a worker's stream reads here that an operator drains it, and gives it no more.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_schema.operations import ListWorkers, WorkerView


class Registration(Struct, frozen=True, kw_only=True):
    """An attach, once the store has taken it."""

    incarnation: UUID
    attach_number: int
    replica: UUID
    queues: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int


class Presence(Struct, frozen=True, kw_only=True):
    """What its engine knows of one stream. Written over what is there for the same attach."""

    incarnation: UUID
    attach_number: int
    attached: bool
    silent: bool = False
    leaving: bool = False


class Registry(Protocol):
    """Every operation may be repeated. Raises Unavailable where the store cannot be reached."""

    async def register(self, registration: Registration) -> bool:
        """Whether an operator drains this worker. Nothing where a newer attach is known."""
        ...

    async def tell(self, presences: tuple[Presence, ...]) -> None:
        """Those of older attaches are passed over."""
        ...

    async def beat(self, replica: UUID) -> frozenset[UUID]:
        """This replica lives. Returns which of the workers attached to it are drained."""
        ...

    async def unknown(self, attached: tuple[tuple[UUID, int], ...]) -> frozenset[UUID]:
        """Whose attach, by incarnation and number, no row knows: the commit of it is gone."""
        ...

    async def drain(self, incarnation: UUID, *, drained: bool) -> bool:
        """Holds tasks back from a worker, or takes that back; False where nobody knows it."""
        ...

    async def workers(self, asked: ListWorkers) -> tuple[WorkerView, ...]:
        """One row more than asked for where there are more."""
        ...

    async def replicas_of(
        self, queue: str, capability: str, *, build: str = "", limit: int
    ) -> tuple[UUID, ...]:
        """Engines that an active worker which offers this is attached to; last heard of first.

        With a build only a worker of that one counts.
        """
        ...

    async def shares(self) -> dict[UUID, int]:
        """How many streams each engine holds that was heard of within REPLICA_HEARD_S."""
        ...

    async def worker(self, incarnation: UUID) -> WorkerView | None: ...

    async def try_misfits(
        self, queues: tuple[str, ...], capabilities: tuple[str, ...], *, looks: int
    ) -> int:
        """Tasks that rest because no code fitted what is recorded are ready; how many.

        Of these kinds, among the `looks` delayed ones that are due last: such rest longest.
        """
        ...

    async def announce(self, incarnation: UUID, name: str, body: bytes) -> None:
        """What a worker says of its tools. Nothing where a younger one has spoken."""
        ...

    async def toolsets(self, names: tuple[str, ...], *, limit: int) -> tuple[bytes, ...]:
        """Announced sets of tools, in the order of their names; without names all."""
        ...

    async def forget(self) -> int:
        """Removes workers that stopped WORKER_KEPT_S ago and hold nothing, and dead replicas.

        A bounded pass; returns how many rows.
        """
        ...
