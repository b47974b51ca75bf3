"""How a caller waits for a workflow's end: told by the bus, and asking where the bus was silent."""

import asyncio
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.ports.control import Control
from mainspring_api.ports.endings import Deliver
from mainspring_api.usecases import workflows
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import pack
from mainspring_schema.events import Context, StoredEvent, draft
from mainspring_schema.subjects import workflow_ended
from mainspring_schema.wake import WorkflowEnded
from mainspring_schema.workflows import (
    Flaw,
    GetWorkflow,
    Started,
    StartWorkflow,
    WorkflowView,
)

CLOCK = ManualClock()
ID = SeededIds(CLOCK, seed=1).uuid7()
OTHER = SeededIds(CLOCK, seed=2).uuid7()
START = StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=ID, type="order", input=b"[]")


class Engine:
    """Answers as it is told to, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.looked = asyncio.Event()
        self.known: Started = Started(workflow_id=ID, started_ms=5)
        self.view = WorkflowView(
            workflow_id=ID, type="order", key="k", queue="default", status="running", started_ms=5
        )

    async def start_workflow(self, command: StartWorkflow) -> Started:
        del command
        return self.known

    @property
    def control(self) -> Control:
        """Of the port it has what a wait needs."""
        return cast("Control", cast("object", self))

    async def get_workflow(self, command: GetWorkflow) -> WorkflowView:
        self.asked += 1
        self.looked.set()
        return msgspec.structs.replace(self.view, workflow_id=command.workflow_id)


class Told:
    """The port's part for workflows, told by a test."""

    leaving = False

    def __init__(self) -> None:
        self.open: dict[UUID, Deliver] = {}

    def drain(self) -> None:
        raise NotImplementedError

    def of(self, task_id: UUID) -> AbstractContextManager[asyncio.Event]:
        raise NotImplementedError

    def any_of(
        self, task_ids: Iterable[UUID], workflow_ids: Iterable[UUID]
    ) -> AbstractContextManager[asyncio.Event]:
        raise NotImplementedError

    @contextmanager
    def of_workflow(self, workflow_id: UUID, deliver: Deliver) -> Generator[None]:
        self.open[workflow_id] = deliver
        yield
        del self.open[workflow_id]

    def awaited(self) -> tuple[UUID, ...]:
        return tuple(self.open)

    def overlooked(self, id_: UUID) -> None:
        self.open[id_](None)

    def tell(self, type_: str, data: object, version: str = "") -> None:
        payload = draft(type_, Context(), data).payload
        event = StoredEvent(seq=2, type=type_, ts_ms=1, payload=payload)
        self.open[ID](WorkflowEnded(event, version))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def engine() -> Engine:
    return Engine()


def starting(engine: Engine, told: Told, clock: ManualClock) -> "asyncio.Task[WorkflowView]":
    return asyncio.ensure_future(workflows.started(engine.control, told, clock, START, wait_s=30.0))


@pytest.mark.parametrize(
    ("type_", "data", "status", "result", "flaw"),
    [
        ("workflow.completed", {"result": [1, 2]}, "completed", b"[1,2]", None),
        ("workflow.completed", {"result": None}, "completed", b"null", None),
        (
            "workflow.failed",
            {"error": {"code": "no_stock", "message": "none", "type": "Gone"}},
            "failed",
            None,
            Flaw(code="no_stock", message="none", type="Gone"),
        ),
        ("workflow.cancelled", {"reason": "user"}, "cancelled", None, None),
    ],
)
async def test_a_start_that_waits_is_answered_by_the_event_of_the_end_alone(
    engine: Engine, told: Told, type_: str, data: object, status: str, result: bytes | None,
    flaw: Flaw | None,
) -> None:  # fmt: skip
    clock = ManualClock()
    waiting = starting(engine, told, clock)
    await clock.until_sleeping(1)

    told.tell(type_, data)
    view = await waiting

    assert (view.status, view.result, view.flaw) == (status, result, flaw)
    assert (view.type, view.started_ms, engine.asked, told.open) == ("order", 5, 0, {})


async def test_what_no_event_says_is_asked_for(engine: Engine, told: Told) -> None:
    clock = ManualClock()
    waiting = starting(engine, told, clock)
    await clock.until_sleeping(1)
    engine.view = msgspec.structs.replace(engine.view, status="completed", result=b"7")

    told.tell("workflow.completed", {"result_bytes": 70_000})

    assert (await waiting).result == b"7"
    assert engine.asked == 1


async def test_one_that_turns_out_to_be_declared_ends_with_its_version(
    engine: Engine, told: Told
) -> None:
    clock = ManualClock()
    waiting = starting(engine, told, clock)
    await clock.until_sleeping(1)

    told.tell("workflow.completed", {"result": 7}, version="v-1")

    assert (await waiting).version == "v-1"
    assert engine.asked == 0


async def test_the_bus_tells_of_the_workflow_that_is_waited_for_alone() -> None:
    bus, endings = MemoryBus(), BusEndings()
    await endings.start(bus)
    heard: asyncio.Queue[WorkflowEnded | None] = asyncio.Queue()
    end = WorkflowEnded(StoredEvent(seq=2, type="workflow.cancelled", ts_ms=1, payload=b"{}"))

    with endings.of_workflow(ID, heard.put_nowait):
        bus.publish(workflow_ended(OTHER), b"\xc1")
        bus.publish(workflow_ended(ID), b"\xc1")
        bus.publish(workflow_ended(ID), pack(end))
        assert await heard.get() == end
    bus.publish(workflow_ended(ID), pack(end))
    await bus.flush(1.0)

    assert heard.empty()


async def test_an_end_whose_copy_was_lost_is_asked_for(engine: Engine, told: Told) -> None:
    clock = ManualClock()
    waiting = starting(engine, told, clock)
    await clock.until_sleeping(1)
    engine.view = msgspec.structs.replace(engine.view, status="completed", result=b"7")

    told.overlooked(ID)

    assert ((await waiting).status, engine.asked) == ("completed", 1)


async def test_one_that_was_not_open_before_its_start_is_waited_for_all_the_same(
    engine: Engine, told: Told
) -> None:
    clock = ManualClock()
    waiting = starting(engine, told, clock)
    await clock.until_sleeping(1)

    told.overlooked(ID)
    await engine.looked.wait()
    told.tell("workflow.completed", {"result": 7})

    assert ((await waiting).result, engine.asked) == (b"7", 1)


async def test_after_its_time_it_is_answered_as_it_is(engine: Engine, told: Told) -> None:
    clock = ManualClock()
    wanted = GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=ID)
    waiting = asyncio.ensure_future(
        workflows.ended(engine.control, told, clock, wanted, wait_s=1.0)
    )
    await clock.until_sleeping(1)

    clock.advance(1.0)

    assert (await waiting).status == "running"
    assert told.open == {}


async def test_one_that_its_key_started_before_is_followed_itself(
    engine: Engine, told: Told
) -> None:
    engine.known = Started(workflow_id=OTHER, duplicate=True)
    engine.view = msgspec.structs.replace(engine.view, status="completed", result=b"7")

    view = await workflows.started(engine.control, told, CLOCK, START, wait_s=30.0)

    assert (view.workflow_id, view.result, told.open) == (OTHER, b"7", {})


async def test_a_start_that_does_not_wait_follows_nothing(engine: Engine, told: Told) -> None:
    view = await workflows.started(engine.control, told, CLOCK, START, wait_s=0.0)

    assert (view.status, engine.asked, told.open) == ("running", 0, {})


async def test_a_server_that_leaves_answers_with_the_workflow_as_it_is(engine: Engine) -> None:
    clock, endings = ManualClock(), BusEndings()
    asking = workflows.started(engine.control, endings, clock, START, wait_s=30.0)
    waiting = asyncio.ensure_future(asking)
    await clock.until_sleeping(1)

    endings.drain()

    assert (await waiting).status == engine.view.status
    assert clock.mono() == ManualClock().mono()
