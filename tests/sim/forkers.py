"""People who fork sessions under way and go on in the forks. What must hold of them."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Set
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.ports.store import RequestKey
from mainspring_api.usecases import forking
from mainspring_api.usecases.forking import Forks, ForkWish
from mainspring_api.usecases.once import Answer, once_under_id
from mainspring_eventstore.adapters.memory.log import EventRow
from mainspring_kernel.errors import Conflict, IdempotencyInProgress, NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds, SessionId
from tests.sim.asking import asked
from tests.sim.loop import here
from tests.sim.world import World

_FIRST: Final = 0.2
_LAST: Final = 0.7
"""Of the time until the healing; whoever then speaks in a fork still has some."""
_NEWEST: Final = 0.4
"""How often a fork begins behind the newest event, whichever that is."""
_AGAIN_S: Final = 2.0


class Forked(Struct, kw_only=True):
    """A fork that somebody wants, and the session they were told of. `seq` None: the newest."""

    key: str
    source: SessionId | None = None
    seq: int | None = None
    id: SessionId | None = None
    settled: bool = False


Enter = Callable[[SessionId], Awaitable[None]]
"""Lets people into a session."""


def come(
    world: World, forks: list[Forked], sources: Callable[[], list[SessionId]], enter: Enter,
    closed: Set[SessionId], ids: SeededIds,
) -> None:  # fmt: skip
    """`sources` are the sessions that somebody reads, forks among them."""
    host = here()
    assert host is not None
    forker = _Forker(world, sources, enter, closed, ids)
    for number in range(world.weather.forks):
        forks.append(wanted := Forked(key=f"fork-{number}"))
        host.spawn(forker.fork(wanted), "person")


class _Forker:
    def __init__(
        self, world: World, sources: Callable[[], list[SessionId]], enter: Enter,
        closed: Set[SessionId], ids: SeededIds,
    ) -> None:  # fmt: skip
        self._world, self._sources, self._enter = world, sources, enter
        self._closed, self._ids, self._draws = closed, ids, world.forking

    async def fork(self, wanted: Forked) -> None:
        draws, world = self._draws, self._world
        wait_s = world.weather.heal_s * (_FIRST + (_LAST - _FIRST) * draws.random())
        await asyncio.sleep(wait_s)
        wanted.source = source = draws.choice(self._sources())
        if draws.random() >= _NEWEST:
            wanted.seq = draws.randint(1, world.tables.log.heads[source].last_seq)
        try:
            answer: Answer = await self._asked(wanted)
        except (NotFound, Conflict):
            # Its source was deleted, or one that this inherits from.
            if self._closed.isdisjoint(_line(world, source)):
                raise
        else:
            wanted.id = SessionId(UUID(bytes=answer.body))
            await self._enter(wanted.id)
        wanted.settled = True

    async def _asked(self, wanted: Forked) -> Any:
        """As over HTTP, with an Idempotency-Key: the same fork however often it is asked for."""
        while True:
            try:
                return await asked(
                    self._world, "api", lambda api: self._fork(api, wanted), self._draws
                )
            except IdempotencyInProgress:
                await asyncio.sleep(_AGAIN_S)

    async def _fork(self, api: Any, wanted: Forked) -> Answer:
        door, vault = api.door, EnvelopeVault([])
        place = Forks(
            store=door.store, log=api.path.log, vault=vault, ids=door.ids, org_id=DEFAULT_ORG_ID
        )
        assert wanted.source is not None
        wish = ForkWish(source_id=wanted.source, seq=wanted.seq)

        async def work(id_: UUID) -> Answer:
            view = await forking.fork(place, wish, SessionId(id_), now_ms=door.clock.wall_ms())
            return Answer(status=201, body=view.session.id.bytes)

        key = RequestKey(route="fork", key=wanted.key, body_hash=wanted.key.encode())
        return await once_under_id(door.store, DEFAULT_ORG_ID, key, self._ids.uuid7(), work)


# ── what must hold ──────────────────────────────────────────────────────────────────────────────


def _line(world: World, session_id: UUID) -> Iterator[UUID]:
    """The session and those that it inherits from."""
    line: UUID | None = session_id
    while line is not None:
        yield line
        line = world.tables.log.heads[line].parent


def shown(world: World, session_id: UUID) -> list[EventRow]:
    """Events as a reader of the session gets them: what it inherits, then its own."""
    log = world.tables.log
    own, head = log.events[session_id], log.heads[session_id]
    if head.parent is None:
        return own
    return [*shown(world, head.parent)[: head.parent_seq], *own]


def always(world: World, forks: list[Forked]) -> Iterator[str]:
    """One session for each fork, which goes on behind the event it was asked for."""
    log = world.tables.log
    made = sum(head.parent is not None for head in log.heads.values())
    if made > len(forks):
        yield f"{made} forks were made of {len(forks)} that were asked for"
    for wanted in forks:
        if wanted.id is None or wanted.source is None:
            continue
        own, head = log.events[wanted.id], log.heads[wanted.id]
        name = f"fork {wanted.id.hex} of {wanted.source.hex}"
        if wanted.seq is not None and head.parent_seq != wanted.seq:
            yield f"{name} is behind {head.parent_seq}, and was to be behind {wanted.seq}"
        if own[0].event.type != "session.forked" or own[0].event.seq != head.parent_seq + 1:
            yield f"{name} begins with {own[0].event.type} at {own[0].event.seq}"
        before = shown(world, wanted.source)[: head.parent_seq]
        if [row.h for row in shown(world, wanted.id)[: head.parent_seq]] != [r.h for r in before]:
            yield f"{name} shows other events than its source did"


def at_rest(forks: list[Forked]) -> Iterator[str]:
    for wanted in forks:
        if not wanted.settled:
            yield f"{wanted.key} was not made"
