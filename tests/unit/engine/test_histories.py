"""Who asks for recorded steps gets them, or hears that the task is not his."""

from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import RecordedPage
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.histories import Histories
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_kernel.errors import Unavailable
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, HistoryWanted, ToWorker
from mainspring_schema.workflows import StepRecord

HELD, ID = Held(UUID(int=2), 1), UUID(int=9)
RECORD = StepRecord(step="1", name="charge")


class Recorded:
    """A store with one record of a workflow, or without it for a while."""

    def __init__(self, body: bytes, *, away: bool = False) -> None:
        self.workflows = self
        self.body, self.away = body, away

    async def recorded(self, workflow_id: UUID, *, after: str) -> RecordedPage:
        if self.away:
            raise Unavailable
        assert (workflow_id, after) == (ID, "")
        return RecordedPage(bodies=(self.body,), more=False)


async def asked(store: Recorded, *, holds: bool = True) -> ToWorker | None:
    """What its worker is told, where it is told anything."""
    attachments, outbox = Attachments(), FrameOutbox()
    attachment = Attachment(UUID(int=1), 1, outbox)
    if holds:
        attachments.hold(attachment, HeldTask(held=HELD, session_id=ID, workflow_id=ID, org_id=ID))
    await Histories(cast("Store", cast("object", store))).send(attachment, HistoryWanted(held=HELD))
    outbox.heard()
    return await outbox.next_frame()


async def test_who_holds_a_workflow_is_told_what_is_recorded() -> None:
    frame = await asked(Recorded(pack(RECORD)))

    assert frame is not None
    ((history,), lost) = (frame.histories, frame.lost)
    assert (history.held, history.steps, history.more, lost) == (HELD, (RECORD,), False, ())


@pytest.mark.parametrize(
    ("body", "holds"),
    [(pack(RECORD), False), (b"no record", True)],
    ids=["not his", "unreadable"],
)
async def test_who_gets_none_has_lost_the_task(body: bytes, *, holds: bool) -> None:
    """He would ask for ever, and his beats would keep the task from others."""
    frame = await asked(Recorded(body), holds=holds)

    assert frame is not None
    assert (frame.lost, frame.histories) == ((HELD,), ())


async def test_while_the_store_is_away_nothing_is_said() -> None:
    assert await asked(Recorded(b"", away=True)) == ToWorker()
