"""What workers say of how far handlers are: refused, or kept in the fewest statements."""

import asyncio
from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.limits import STREAM_GRACE_S
from mainspring_engine.ports.progress import Report
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.reporting import Reports
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.progress_limits import PROGRESS_BYTES_MAX
from mainspring_schema.frames import Held, Progress, ToWorker, Verdict

WORKER = UUID(int=1)
HELD = Held(UUID(int=2), 3)


class Rows:
    """Keeps what it is given, once it is there."""

    def __init__(self, *, away: int = 0) -> None:
        self.away = away
        self.kept: list[tuple[Report, ...]] = []

    @property
    def progress(self) -> "Rows":
        return self

    async def keep(self, reports: tuple[Report, ...]) -> tuple[Verdict, ...]:
        if self.away:
            self.away -= 1
            raise Unavailable
        self.kept.append(reports)
        return tuple(Verdict.COMMITTED for _ in reports)


class Desk:
    """Reports over one attachment that holds one task."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.clock = ManualClock()
        self.outbox = FrameOutbox()
        self.attachment = Attachment(WORKER, 1, self.outbox)
        ids = dict.fromkeys(("session_id", "workflow_id", "org_id"), UUID(int=9))
        self.attachment.held[HELD.task_id] = HeldTask(held=HELD, **ids)
        attachments = Attachments()
        attachments.add(self.attachment)
        store = cast("Store", cast("object", rows))
        self.reports = Reports(store, attachments, self.clock)

    def say(self, counter: int, details: bytes = b"1", *, step: str = "", fence: int = 3) -> None:
        held = Held(HELD.task_id, fence)
        said = Progress(held=held, counter=counter, step=step, details=details)
        self.reports.said(self.attachment, said)

    async def answers(self) -> list[tuple[int, Verdict]]:
        frame = await self.outbox.next_frame()
        assert isinstance(frame, ToWorker)
        return [(answer.counter, answer.verdict) for answer in frame.progress]


async def test_what_comes_up_together_is_one_statement_of_the_newest() -> None:
    desk = Desk(Rows())
    desk.say(1, b"1")
    desk.say(2, b"2", step="4/1")
    desk.say(3, b"3")
    desk.say(4, b"7.5", step="4/1!")

    work = asyncio.create_task(desk.reports.work())
    answers = await desk.answers()
    work.cancel()

    (statement,) = desk.rows.kept
    assert [(one.progress.step, one.progress.details) for one in statement] == [
        ("", b"3"),
        ("4/1", b"2"),
        ("4/1!", b"7.5"),
    ]
    assert all(one.incarnation == WORKER for one in statement)
    assert answers == [(counter, Verdict.COMMITTED) for counter in (3, 2, 4)]


@pytest.mark.parametrize(
    ("fence", "step", "size", "verdict"),
    [
        (2, "", 1, Verdict.STALE),
        (3, "../etc", 1, Verdict.INVALID),
        (3, "!", 1, Verdict.INVALID),
        (3, "", PROGRESS_BYTES_MAX + 1, Verdict.INVALID),
    ],
    ids=["another fence", "no place", "the begin of nothing", "too large"],
)
async def test_what_a_worker_may_not_say_is_refused(
    fence: int, step: str, size: int, verdict: Verdict
) -> None:
    desk = Desk(Rows())

    desk.say(7, b"x" * size, step=step, fence=fence)

    assert await desk.answers() == [(7, verdict)]
    assert desk.rows.kept == []


async def test_a_report_is_kept_once_the_store_is_back() -> None:
    desk = Desk(Rows(away=1))
    desk.say(1)
    work = asyncio.create_task(desk.reports.work())

    await desk.clock.until_sleeping()
    desk.clock.advance(STREAM_GRACE_S)
    answers = await desk.answers()
    work.cancel()

    assert answers == [(1, Verdict.COMMITTED)]
