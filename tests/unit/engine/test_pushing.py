"""Tasks that an engine pushes late say how old they are; a worker that drains gets none."""

from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.changes import Claim
from mainspring_engine.domain.plain import NewPlain
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.store import Claimed
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachment, Attachments
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.pushing import Pusher
from mainspring_engine.usecases.sessions import Sessions
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_schema.frames import Held, Task

WORKER = UUID(int=7)
ROUTE = Route(queue="default", capability="task:add")


class Yard:
    def __init__(self) -> None:
        self.clock, self.outbox = ManualClock(), FrameOutbox()
        self.ids = SeededIds(self.clock, seed=1)
        attachments = Attachments()
        self.attachment = Attachment(WORKER, 1, self.outbox)
        attachments.add(self.attachment)
        self.undelivered: list[Held] = []
        self.pusher = Pusher(
            attachments,
            cast("Agents", cast("object", None)),
            cast("Sessions", cast("object", None)),
            self.undelivered.append,
            self.clock,
        )

    def plain(self, taken_s: float) -> None:
        claim = Claim(incarnation=WORKER, attach_number=1, taken_s=taken_s)
        task = NewPlain(self.ids.uuid7(), DEFAULT_ORG_ID, ROUTE, 0, "add", b"", claim)
        self.pusher.push_plain(task, claim)

    def claimed(self, asked_s: float) -> None:
        id_ = self.ids.uuid7()
        task = Claimed(
            held=Held(id_, 2), route=ROUTE, session_id=id_, workflow_id=id_, org_id=DEFAULT_ORG_ID,
            payload=b"", config_hash=b"", traceparent="", failures=0, incarnation=WORKER,
        )  # fmt: skip
        self.pusher.push_claimed(task, asked_s)

    async def pushed(self) -> tuple[Task, ...]:
        frame = await self.outbox.next_frame()
        assert frame is not None
        return frame.tasks


@pytest.mark.parametrize(("late_s", "age_ms"), [(0.1, 0), (13.0, 13_000)])
async def test_a_task_goes_with_its_age_since_before_its_claim(late_s: float, age_ms: int) -> None:
    yard = Yard()
    began_s = yard.clock.mono()

    yard.clock.advance(late_s)
    yard.plain(began_s)
    yard.claimed(began_s)

    assert [task.age_ms for task in await yard.pushed()] == [age_ms, age_ms]


async def test_what_was_claimed_for_a_worker_that_drains_by_now_is_for_others() -> None:
    yard = Yard()
    yard.attachment.leaving = True

    yard.plain(yard.clock.mono())
    yard.claimed(yard.clock.mono())

    assert len(yard.undelivered) == 2
    assert yard.outbox.unwritten() == frozenset()
