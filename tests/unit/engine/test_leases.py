"""What keeps attempts alive, while the store comes and goes."""

import asyncio
from typing import cast
from uuid import UUID

from mainspring_engine.ports.outside import Witness
from mainspring_engine.ports.store import Renewal, Store
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.links import Link, Links
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.time import DatabaseTime
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.limits import STREAM_GRACE_S
from mainspring_schema.frames import Acknowledgement, Held, Verdict

WORKER, HELD = UUID(int=1), Held(UUID(int=2), 1)


class StoreThatWasAway:
    """Unreachable once; then it grants every start."""

    def __init__(self) -> None:
        self.asked = 0

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[()]:
        del renewals
        return ()

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        self.asked += 1
        if self.asked == 1:
            detail = "Postgres is away"
            raise Unavailable(detail)
        return (Verdict.COMMITTED,) * len(starts)


async def test_a_start_is_answered_once_the_store_is_back() -> None:
    clock, links, store, outbox = ManualClock(), Links(), StoreThatWasAway(), FrameOutbox()
    link = Link(WORKER, 1, outbox)
    links.add(link)
    leases = Leases(
        store=cast("Store", cast("object", store)),
        links=links,
        lanes=Lanes(()),
        clock=clock,
        time=DatabaseTime(clock),
        witness=cast("Witness", cast("object", None)),
        woken=lambda: None,
    )
    work = asyncio.create_task(leases.work())

    leases.start(link, HELD)
    await clock.until_sleeping()
    clock.advance(STREAM_GRACE_S)
    frame = await outbox.next_frame()

    work.cancel()
    assert frame is not None
    assert frame.starts == (Acknowledgement(held=HELD, verdict=Verdict.COMMITTED),)
    assert store.asked == 2
