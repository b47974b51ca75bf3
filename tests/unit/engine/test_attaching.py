"""Two attaches of one worker whose statements overtake each other."""

import asyncio
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.roster import Roster
from mainspring_engine.ports.store import AttachReply, AttachRow, Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.registry import Workers
from mainspring_engine.usecases.worker_streams import WorkerStreams
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import LeaseLost
from mainspring_schema.frames import Attach

WORKER = UUID(int=7)
FIRST = Attach(
    incarnation=WORKER, attach_number=1, name="w", build="", queues=("default",),
    capabilities=("",), slots=4,
)  # fmt: skip


class SlowRows:
    """A store that lets the first who asks what a worker holds wait."""

    def __init__(self) -> None:
        self.asked, self.answered = asyncio.Event(), asyncio.Event()

    async def attach(self, attach_rows: tuple[AttachRow, ...]) -> tuple[AttachReply, ...]:
        return tuple(AttachReply(refused=False) for _ in attach_rows)

    async def held_by(self, _: UUID) -> tuple[()]:
        if not self.asked.is_set():
            self.asked.set()
            await self.answered.wait()
        return ()


class Nobody:
    """Of the parts that an attach tells of itself."""

    async def registered(self, _: Attach) -> bool:
        return False

    def credits_came(self) -> None: ...


def streams_of(store: SlowRows, attachments: Attachments, roster: Roster) -> WorkerStreams:
    nobody = cast("object", Nobody())
    return WorkerStreams(
        store=cast("Store", cast("object", store)), attachments=attachments, roster=roster,
        lanes=cast("Lanes", nobody), leases=cast("Leases", nobody),
        claimer=cast("Claimer", nobody), agents=cast("Agents", nobody),
        gates=cast("Gates", nobody), workers=cast("Workers", nobody), holds=HoldTimes(),
        queries=cast("Queries", nobody), clock=ManualClock(),
    )  # fmt: skip


async def test_an_older_attach_whose_statements_waited_does_not_take_the_seat_back() -> None:
    store, attachments, roster = SlowRows(), Attachments(), Roster()
    streams = streams_of(store, attachments, roster)
    older = asyncio.create_task(streams.attach(FIRST, FrameOutbox()))
    await store.asked.wait()
    newer, _ = await streams.attach(msgspec.structs.replace(FIRST, attach_number=2), FrameOutbox())

    store.answered.set()
    with pytest.raises(LeaseLost):
        await older

    assert attachments.get(WORKER) is newer
    assert [seat.attach_number for seat in roster.all()] == [2]
