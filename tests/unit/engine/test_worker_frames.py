"""What a worker's frame means, part by part."""

import asyncio
import hashlib
from typing import cast

from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.intents import Answered, Emitted
from mainspring_engine.domain.limits import EMITS_UNANSWERED_MAX, LOOK_OVER_REST_S
from mainspring_engine.domain.roster import Roster
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.lane import Lanes, Ticket
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.registry import Workers
from mainspring_engine.usecases.worker_streams import WorkerStreams
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_kernel.limits import LEASE_S
from mainspring_schema.codec import pack
from mainspring_schema.frames import Beat, Emit, FromWorker, Held, Result, ToWorker, Verdict
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import StepRecord

IDS = SeededIds(ManualClock(), seed=3)


class TheLanes:
    def __init__(self) -> None:
        self.put_in: list[type] = []
        self.tickets: list[Ticket] = []

    def put(self, intent: object, ticket: Ticket) -> None:
        self.put_in.append(type(intent))
        self.tickets.append(ticket)


class Nobody:
    """Of the parts that this frame does not concern."""

    ended = None
    looks = 0

    async def look_over(self, attachment: Attachment, before_s: float) -> None:
        assert attachment.given_before(before_s)
        self.looks += 1

    def beat(self, attachment: Attachment, held: tuple[Held, ...]) -> None: ...

    def __contains__(self, held: Held) -> bool:
        return False


def streams_of(
    lanes: TheLanes,
    attachments: Attachments,
    clock: ManualClock | None = None,
    leases: Nobody | None = None,
) -> WorkerStreams:
    nobody = cast("object", leases or Nobody())
    return WorkerStreams(
        store=cast("Store", nobody), attachments=attachments, roster=Roster(),
        lanes=cast("Lanes", cast("object", lanes)), leases=cast("Leases", nobody),
        claimer=cast("Claimer", nobody), agents=cast("Agents", nobody),
        gates=cast("Gates", nobody), workers=cast("Workers", nobody), holds=HoldTimes(),
        queries=cast("Queries", nobody), clock=clock or ManualClock(),
    )  # fmt: skip


async def test_a_beat_that_names_nothing_is_answered_by_an_empty_frame() -> None:
    attachments, outbox = Attachments(), FrameOutbox()
    streams = streams_of(TheLanes(), attachments)
    attachment = Attachment(IDS.uuid7(), 1, outbox)
    attachments.add(attachment)

    streams.receive(attachment, FromWorker(beat=Beat(held=())))

    assert await outbox.next_frame() == ToWorker()


async def test_a_worker_that_does_not_name_what_it_has_had_for_long_is_looked_over() -> None:
    attachments, clock, leases = Attachments(), ManualClock(), Nobody()
    streams = streams_of(TheLanes(), attachments, clock, leases)
    attachment = Attachment(IDS.uuid7(), 1, FrameOutbox())
    attachments.add(attachment)
    held, id_ = Held(IDS.uuid7(), 1), IDS.uuid7()
    task = HeldTask(
        held=held, session_id=id_, workflow_id=id_, org_id=DEFAULT_ORG_ID, since_s=clock.mono()
    )
    attachments.hold(attachment, task)

    beats = [
        (LEASE_S - 1, (), 0), (2, (held,), 0), (1, (), 1), (1, (), 1), (LOOK_OVER_REST_S, (), 2),
    ]  # fmt: skip
    for seconds, named, looks in beats:
        clock.advance(seconds)
        streams.receive(attachment, FromWorker(beat=Beat(held=named)))
        await asyncio.sleep(0)
        assert leases.looks == looks


async def test_a_stream_is_read_on_when_what_it_said_is_committed() -> None:
    lanes, attachments = TheLanes(), Attachments()
    streams = streams_of(lanes, attachments)
    attachment, id_, held = (
        Attachment(IDS.uuid7(), 1, FrameOutbox()),
        IDS.uuid7(),
        Held(IDS.uuid7(), 1),
    )
    attachments.hold(
        attachment, HeldTask(held=held, session_id=id_, workflow_id=id_, org_id=DEFAULT_ORG_ID)
    )
    emits = [Emit(held=held, counter=number) for number in range(EMITS_UNANSWERED_MAX)]

    streams.receive(attachment, FromWorker(emits=tuple(emits[1:])))
    await streams.room(attachment)
    streams.receive(attachment, FromWorker(emits=(emits[0],)))
    waits = asyncio.create_task(streams.room(attachment))
    await asyncio.sleep(0)
    assert not waits.done()

    lanes.tickets[0].failed(ValidationFailed("no honest worker says this"))
    await waits
    for ticket in lanes.tickets[1:]:
        ticket.done(Verdict.COMMITTED)
    await streams.room(attachment)


def test_what_an_attempt_recorded_comes_before_the_result_that_ends_it() -> None:
    lanes, attachments = TheLanes(), Attachments()
    streams = streams_of(lanes, attachments)
    attachment = Attachment(IDS.uuid7(), 1, FrameOutbox())
    id_, held = IDS.uuid7(), Held(IDS.uuid7(), 1)
    attachments.add(attachment)
    attachments.hold(
        attachment, HeldTask(held=held, session_id=id_, workflow_id=id_, org_id=DEFAULT_ORG_ID)
    )
    body = pack(WorkflowResult(outcome="suspended"))
    result = Result(held=held, hash=hashlib.sha256(body).digest(), body=body)
    record = StepRecord(step="1", name="charge")

    streams.receive(
        attachment,
        FromWorker(results=(result,), emits=(Emit(held=held, counter=1, steps=(record,)),)),
    )

    assert lanes.put_in == [Emitted, Answered]
