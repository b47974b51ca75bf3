"""Who asks for recorded steps gets them, or hears that it lost the task."""

import asyncio
from collections.abc import Coroutine
from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.limits import HISTORY_PAGES_UNREAD_MAX, HISTORY_READS_MAX
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


def no_task(work: Coroutine[None, None, None]) -> None:
    raise AssertionError(work)


async def asked(store: Recorded, *, holds: bool = True) -> ToWorker | None:
    """What its worker is told, where it is told anything."""
    attachments, outbox = Attachments(), FrameOutbox()
    attachment = Attachment(UUID(int=1), 1, outbox)
    if holds:
        attachments.hold(attachment, HeldTask(held=HELD, session_id=ID, workflow_id=ID, org_id=ID))
    histories = Histories(cast("Store", cast("object", store)), no_task)
    await histories.send(attachment, HistoryWanted(held=HELD))
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
    ids=["not its own", "unreadable"],
)
async def test_who_gets_none_has_lost_the_task(body: bytes, *, holds: bool) -> None:
    """It would ask for ever, and its beats would keep the task from others."""
    frame = await asked(Recorded(body), holds=holds)

    assert frame is not None
    assert (frame.lost, frame.histories) == ((HELD,), ())


async def test_while_the_store_is_away_nothing_is_said() -> None:
    assert await asked(Recorded(b"", away=True)) == ToWorker()


class SlowlyRecorded:
    """Counts reads, and ends them one by one as it is told."""

    def __init__(self) -> None:
        self.workflows = self
        self.reads: list[str] = []
        self._held: asyncio.Queue[asyncio.Future[RecordedPage]] = asyncio.Queue()

    async def recorded(self, workflow_id: UUID, *, after: str) -> RecordedPage:
        del workflow_id
        self.reads.append(after)
        page: asyncio.Future[RecordedPage] = asyncio.get_running_loop().create_future()
        self._held.put_nowait(page)
        return await page

    async def end_one(self) -> None:
        (await self._held.get()).set_result(RecordedPage(bodies=(), more=False))


class Asker:
    """A stream that holds so many tasks."""

    def __init__(self, tasks: int = 1) -> None:
        attachments, self.outbox = Attachments(), FrameOutbox()
        self.attachment = Attachment(UUID(int=1), 1, self.outbox)
        self.store = SlowlyRecorded()
        self.tasks: list[asyncio.Task[None]] = []
        self._histories = Histories(cast("Store", cast("object", self.store)), self._spawn)
        self.held = [Held(UUID(int=number), 1) for number in range(1, tasks + 1)]
        for held in self.held:
            attachments.hold(
                self.attachment, HeldTask(held=held, session_id=ID, workflow_id=ID, org_id=ID)
            )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def ask(self, *wanted: HistoryWanted) -> None:
        self._histories.asked(self.attachment, wanted)

    async def end(self, reads: int) -> None:
        """Ends so many reads, each begun by itself or by the end of another."""
        for _ in range(reads):
            await self.store.end_one()
        await asyncio.gather(*self.tasks)


async def test_repeats_of_a_question_join_the_read_that_is_under_way() -> None:
    asker = Asker()
    same = HistoryWanted(held=asker.held[0])

    asker.ask(*[same] * 40_000)
    asker.ask(same)
    await asker.end(1)

    assert (asker.store.reads, asker.outbox.pages_unread()) == ([""], 1)


async def test_of_other_questions_about_an_attempt_the_newest_is_read_next() -> None:
    asker = Asker()

    asker.ask(*(HistoryWanted(held=asker.held[0], after=after) for after in ("", "1", "2")))
    asker.ask(*(HistoryWanted(held=asker.held[0], after=after) for after in ("3", "4")))
    await asker.end(2)

    assert asker.store.reads == ["2", "4"]


async def test_a_stream_has_few_reads_under_way_and_each_question_is_answered() -> None:
    asker = Asker(tasks=3 * HISTORY_READS_MAX)

    asker.ask(*(HistoryWanted(held=held) for held in asker.held))
    assert len(asker.tasks) == HISTORY_READS_MAX
    await asker.end(len(asker.held))

    assert asker.outbox.pages_unread() == len(asker.store.reads) == len(asker.held)


async def test_who_does_not_read_what_he_asked_for_is_read_no_more() -> None:
    asker = Asker(tasks=2 * HISTORY_PAGES_UNREAD_MAX)
    questions = [HistoryWanted(held=held) for held in asker.held]

    asker.ask(*questions)
    await asker.end(HISTORY_PAGES_UNREAD_MAX + HISTORY_READS_MAX - 1)
    asker.ask(*questions)
    unread = asker.outbox.pages_unread()
    while asker.outbox.pages_unread():
        await asker.outbox.next_frame()
    asker.ask(*questions)

    assert unread == HISTORY_PAGES_UNREAD_MAX + HISTORY_READS_MAX - 1
    assert len(asker.tasks) == unread + HISTORY_READS_MAX
    for task in asker.tasks:
        task.cancel()
