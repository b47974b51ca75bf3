"""A long session's log is read page by page, and no more of it is kept than is asked for."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, cast
from uuid import UUID

import pytest

from mainspring_api.ports.log import HeadView, Log, Page
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.store import Store
from mainspring_api.usecases import events, messages, replaying
from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.ids import DEFAULT_ORG_ID, OrgId, Position, SessionId
from mainspring_schema.events import StoredEvent

SESSION: Final = SessionId(UUID(int=7))
PAGES: Final = 5
ROWS: Final = 10
LAST: Final = PAGES * ROWS


HEAD: Final = HeadView(
    session_id=SESSION, seq=LAST, n=0, status="idle", closed=False, turn_first_seq=1, updated_ms=1
)


class Payload(bytes):
    """Bytes of which is known how many are still there."""

    kept: ClassVar[int] = 0

    def __init__(self, _: bytes) -> None:
        Payload.kept += 1

    def __del__(self) -> None:
        Payload.kept -= 1


class LongLog:
    """Pages of events that nobody shows, and how many of their payloads are kept at most."""

    def __init__(self) -> None:
        self.kept_max = 0

    async def read(
        self, session_id: SessionId, org_id: OrgId, *, after: Position, limit: int, **_: object
    ) -> Page:
        del session_id, org_id, limit
        seqs = range(after.seq + 1, min(LAST, after.seq + ROWS) + 1)
        made = [(seq, Payload(b"{}")) for seq in seqs]
        self.kept_max = max(self.kept_max, Payload.kept)
        return Page(
            events=tuple(StoredEvent(seq, "session.idled", seq, body) for seq, body in made),
            deltas=(),
            head=HEAD,
            more=after.seq + ROWS < LAST,
        )


class KnownSession:
    async def basis(self, org_id: OrgId, session_id: SessionId) -> object:
        return (org_id, session_id)


STORE = cast("Store", cast("object", KnownSession()))


async def listed(log: Log) -> int:
    return (await messages.list_all(STORE, log, DEFAULT_ORG_ID, SESSION, limit=10))[1]


async def summed_up(log: Log) -> int:
    found = await events.summary(STORE, log, DEFAULT_ORG_ID, SESSION)
    assert (found.first_ms, found.last_ms, found.by_type) == (1, LAST, {"session.idled": LAST})
    return found.total


async def replayed(log: Log) -> int:
    nobody = cast("OperatorDoor", object())  # no model was asked, so no configuration is
    at = (DEFAULT_ORG_ID, SESSION)
    return len(await replaying.replay(STORE, log, nobody, builtin_registry(), at))


@pytest.mark.parametrize(("read", "found"), [(listed, 0), (summed_up, LAST), (replayed, 0)])
async def test_what_was_looked_at_is_let_go_before_the_log_ends(
    read: Callable[[Log], Awaitable[int]], found: int
) -> None:
    log = LongLog()

    assert await read(cast("Log", cast("object", log))) == found

    assert log.kept_max <= 2 * ROWS
