"""This engine's part of the registry of workers: reports who is attached, and obeys drains.

What an operator drains is a row that every engine reads with its own beat; a hint on the bus makes
all of them look at once. So a drain holds wherever the worker attaches next.
"""

import asyncio
import logging
from typing import Final, assert_never
from uuid import UUID

from mainspring_engine.domain.limits import (
    KNOWN_LOOK_S,
    PRESENCES_WAITING_MAX,
    REPLICA_BEAT_S,
    STREAM_GRACE_S,
    SWEEP_BATCH_ROWS_MAX,
    TOOLSETS_LISTED_MAX,
)
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.routes import offer_of
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.registry import Presence, Registration, Registry
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.balancing import Balancing
from mainspring_engine.usecases.misfits import Misfits
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import NotFound, Unavailable
from mainspring_kernel.passes import one_pass
from mainspring_schema import toolsets
from mainspring_schema.frames import Attach
from mainspring_schema.operations import GetWorker, ListWorkers, WorkerPage, WorkerView
from mainspring_schema.toolsets import ListToolsets, Toolsets

_log = logging.getLogger(__name__)
_FIRST_ATTACH: Final = 1
"""Of a worker's process: later ones are of a stream that broke."""
_PUT_BACK: Final = (
    "Postgres does not know %d workers that are attached here: it was put back to an older state. "
    "They attach anew; all services are to be started again"
)


class Workers:
    """`work` must be under way. `replica` is the id of this engine process."""

    def __init__(
        self,
        *,
        registry: Registry,
        roster: Roster,
        attachments: Attachments,
        announcer: Announcer,
        clock: Clock,
        replica: UUID,
    ) -> None:
        self._registry = registry
        self._roster = roster
        self._attachments = attachments
        self._announcer = announcer
        self._clock = clock
        self.replica = replica
        self._due = asyncio.Event()
        self._known_due_s = 0.0
        self._beating = asyncio.Lock()
        self._untold: dict[UUID, Presence] = {}
        self._changed = asyncio.Event()
        self._misfits = Misfits(registry=registry, announcer=announcer, clock=clock)
        self.balancing = Balancing(
            registry=registry, attachments=attachments, clock=clock, replica=replica
        )

    async def work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pace())
            group.create_task(self._beat_for_ever())
            group.create_task(self._tell_for_ever())
            group.create_task(self._misfits.work())
            group.create_task(self.balancing.work())

    # ── streams of this engine ──────────────────────────────────────────────────────────────────

    async def registered(self, attach: Attach) -> bool:
        """Whether the worker that attached is drained by an operator. Keeps what it announces.

        Raises ValidationFailed for tools that no agent can be given; Unavailable.
        """
        self._untold.pop(attach.incarnation, None)
        if attach.attach_number == _FIRST_ATTACH:
            self._misfits.note(offer_of(attach))
        if attach.toolset:
            announced = toolsets.read(attach.toolset)
            await self._registry.announce(attach.incarnation, announced.name, attach.toolset)
        return await self._registry.register(
            Registration(
                incarnation=attach.incarnation,
                attach_number=attach.attach_number,
                replica=self.replica,
                queues=attach.queues,
                capabilities=attach.capabilities,
                slots=attach.slots,
            )
        )

    def tell(self, presence: Presence) -> None:
        """A stream fell silent, spoke again, is on its way out, or ended. Never waits."""
        known = self._untold.get(presence.incarnation)
        if presence.leaving:
            self._leaves(presence.incarnation)
        newer = known is None or known.attach_number <= presence.attach_number
        if newer and len(self._untold) < PRESENCES_WAITING_MAX:
            self._untold[presence.incarnation] = presence
        self._changed.set()

    def _leaves(self, incarnation: UUID) -> None:
        seat = self._roster.get(incarnation)
        if seat is not None:
            self._misfits.note(seat.offer)

    async def _tell_for_ever(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._untold:
                batch = tuple(self._untold.values())[:SWEEP_BATCH_ROWS_MAX]
                try:
                    await self._registry.tell(batch)
                except Unavailable as error:
                    _log.warning("the registry waits: %s", error)
                    await self._clock.sleep(STREAM_GRACE_S)
                    continue
                except Exception:  # noqa: BLE001 - what cannot be told holds up nobody else
                    _log.exception("the registry was not told of %d workers", len(batch))
                for told in batch:
                    if self._untold.get(told.incarnation) is told:
                        del self._untold[told.incarnation]

    # ── beats and drains ────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Somebody drained or resumed a worker, perhaps one of ours."""
        self._due.set()

    async def _pace(self) -> None:
        while True:
            self._due.set()
            await self._clock.sleep(REPLICA_BEAT_S)

    async def _beat_for_ever(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            with one_pass(_log, "the beat of this engine"):
                await self._beat()

    async def _beat(self) -> None:
        async with self._beating:
            # Whoever attaches meanwhile learns by its attach what this answer cannot know.
            seats = self._roster.all()
            self._roster.hold_back(seats, drained=await self._registry.beat(self.replica))
        await self._call_back()

    async def _call_back(self) -> None:
        """Whom Postgres does not know gets nothing by it: it was put back to before their attach.

        They attach anew. What else was committed since is gone, which a person should know.
        """
        attached, now_s = self._attachments.all(), self._clock.mono()
        if not attached or now_s < self._known_due_s:
            return
        self._known_due_s = now_s + KNOWN_LOOK_S
        unknown = await self._registry.unknown(
            tuple((one.incarnation, one.attach_number) for one in attached)
        )
        lost = [one for one in attached if one.incarnation in unknown]
        for attachment in lost:
            attachment.outbox.leave()
        if lost:
            _log.error(_PUT_BACK, len(lost))

    async def drain(self, worker_id: UUID, *, drained: bool) -> WorkerView:
        """Returns once it is committed, and in force for a worker of this engine.

        Raises NotFound, Unavailable.
        """
        if not await self._registry.drain(worker_id, drained=drained):
            raise NotFound
        self._announcer.workers_drained()
        await self._beat()
        return await self.get(worker_id)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    async def answer(
        self, asked: ListWorkers | GetWorker | ListToolsets
    ) -> WorkerPage | WorkerView | Toolsets:
        match asked:
            case GetWorker(worker_id=worker_id):
                return await self.get(worker_id)
            case ListToolsets(names=names):
                return await self.announced(names)
            case ListWorkers():
                return await self.page(asked)
            case _:
                assert_never(asked)

    async def announced(self, names: tuple[str, ...]) -> Toolsets:
        """Also of workers that are gone: a call of their tools waits for others."""
        bodies = await self._registry.toolsets(names, limit=TOOLSETS_LISTED_MAX)
        return Toolsets(toolsets=tuple(toolsets.read(body) for body in bodies))

    async def get(self, worker_id: UUID) -> WorkerView:
        """Raises NotFound, Unavailable."""
        found = await self._registry.worker(worker_id)
        if found is None:
            raise NotFound
        return found

    async def page(self, asked: ListWorkers) -> WorkerPage:
        found = await self._registry.workers(asked)
        page = found[: asked.limit]
        return WorkerPage(workers=page, next=page[-1].id if len(found) > len(page) else None)
