"""What a follower reads, and when it is done."""

import asyncio
from typing import cast
from uuid import UUID

from mainspring_api.domain.frames import Framer
from mainspring_api.ports.log import HeadView, Log, Page
from mainspring_api.usecases.stream.follower import Follower
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID, Position, SessionId
from mainspring_schema.events import StoredEvent
from mainspring_schema.stream import LogBatch

SESSION = SessionId(UUID(int=7))
CLOSED = HeadView(session_id=SESSION, seq=1, n=0, status="idle", closed=True)


def event(seq: int) -> StoredEvent:
    payload = b'{"context":{},"data":{}}'
    return StoredEvent(seq=seq, type="turn.completed", ts_ms=1, payload=payload, deltas_before=0)


class Reads:
    """Answers every reading with the end of the session, or that it is gone."""

    def __init__(self, *, gone: bool = False) -> None:
        self.count = 0
        self._gone = gone

    async def read(self, *_args: object, **_named: object) -> Page:
        self.count += 1
        if self._gone:
            raise NotFound
        return Page(events=(), deltas=(), head=CLOSED)


async def rests(follower: Follower) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
    assert follower._reading is None, "it reads on and on"


def following(log: Reads) -> tuple[Follower, Subscriber]:
    asked = cast("Log", cast("object", log))
    follower = Follower(SESSION, DEFAULT_ORG_ID, asked, Framer(SESSION, 1))
    subscriber = Subscriber(now=0.0, cycle_at=1e9)
    follower.subscribers.add(subscriber)
    return follower, subscriber


async def test_an_end_that_comes_before_the_first_reader_is_read_by_that_one() -> None:
    log = Reads()
    follower, subscriber = following(log)

    follower.deliver(LogBatch(1, events=(event(1),), closed=True))
    follower.compare(CLOSED)
    await rests(follower)
    assert (log.count, subscriber.closed) == (0, False)

    follower.establish(Position(0), Framer(SESSION, 1))
    await rests(follower)

    assert (log.count, subscriber.closed) == (1, True)


async def test_a_gap_in_a_session_that_is_gone_is_the_end() -> None:
    log = Reads(gone=True)
    follower, subscriber = following(log)
    follower.establish(Position(0), Framer(SESSION, 1))

    follower.deliver(LogBatch(1, events=(event(3),)))
    await rests(follower)

    assert (log.count, subscriber.closed) == (1, True)
