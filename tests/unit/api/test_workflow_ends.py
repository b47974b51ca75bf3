"""How a caller waits for a workflow's end: told by the bus, and asking where the bus was silent."""

import asyncio
from typing import cast

import msgspec
import pytest

from mainspring_api.ports.control import Control
from mainspring_api.ports.feed import Deliver
from mainspring_api.usecases import workflows
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, OrgId, SeededIds, SessionId
from mainspring_kernel.limits import RESULT_RECHECK_S
from mainspring_schema.events import Context, StoredEvent, draft
from mainspring_schema.stream import LogBatch
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
    """Answers as it is told to, and counts who asks. A start takes longer than to subscribe."""

    def __init__(self, feed: "Feed") -> None:
        self.asked = 0
        self._feed = feed
        self.known: Started = Started(workflow_id=ID, started_ms=5)
        self.view = WorkflowView(
            workflow_id=ID, type="order", key="k", queue="default", status="running", started_ms=5
        )

    async def start_workflow(self, command: StartWorkflow) -> Started:
        del command
        await self._feed.subscribed.wait()
        await asyncio.sleep(0)
        return self.known

    @property
    def control(self) -> Control:
        """Of the port it has what a wait needs."""
        return cast("Control", cast("object", self))

    async def get_workflow(self, command: GetWorkflow) -> WorkflowView:
        self.asked += 1
        return msgspec.structs.replace(self.view, workflow_id=command.workflow_id)


class Feed:
    def __init__(self) -> None:
        self.open: dict[SessionId, Deliver] = {}
        self.subscribed = asyncio.Event()

    async def subscribe(self, org_id: OrgId, session_id: SessionId, deliver: Deliver) -> "Tail":
        del org_id
        self.open[session_id] = deliver
        self.subscribed.set()
        return Tail(self, session_id)

    def tell(self, type_: str, data: object) -> None:
        payload = draft(type_, Context(), data).payload
        event = StoredEvent(seq=2, type=type_, ts_ms=1, payload=payload)
        self.open[SessionId(ID)](LogBatch(1, (event,), ()))


class Tail:
    def __init__(self, feed: Feed, session_id: SessionId) -> None:
        self._feed = feed
        self._session_id = session_id

    async def close(self) -> None:
        self._feed.open.pop(self._session_id, None)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def engine(feed: Feed) -> Engine:
    return Engine(feed)


def starting(engine: Engine, feed: Feed, clock: ManualClock) -> "asyncio.Task[WorkflowView]":
    return asyncio.ensure_future(workflows.started(engine.control, feed, clock, START, wait_s=30.0))


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
    engine: Engine, feed: Feed, type_: str, data: object, status: str, result: bytes | None,
    flaw: Flaw | None,
) -> None:  # fmt: skip
    clock = ManualClock()
    waiting = starting(engine, feed, clock)
    await clock.until_sleeping(1)

    feed.tell(type_, data)
    view = await waiting

    assert (view.status, view.result, view.flaw) == (status, result, flaw)
    assert (view.type, view.started_ms, engine.asked, feed.open) == ("order", 5, 0, {})


@pytest.mark.parametrize(
    ("type_", "data"), [("workflow.completed", {"result_bytes": 70_000}), ("workflow.declared", {})]
)
async def test_what_no_event_says_is_asked_for(
    engine: Engine, feed: Feed, type_: str, data: object
) -> None:
    clock = ManualClock()
    waiting = starting(engine, feed, clock)
    await clock.until_sleeping(1)
    engine.view = msgspec.structs.replace(engine.view, status="completed", result=b"7")

    feed.tell(type_, data)
    if type_ == "workflow.declared":
        feed.tell("workflow.completed", {"result": 7})

    assert (await waiting).result == b"7"
    assert engine.asked == 1


async def test_an_end_whose_copy_was_lost_is_seen_by_asking(engine: Engine, feed: Feed) -> None:
    clock = ManualClock()
    waiting = starting(engine, feed, clock)
    await clock.until_sleeping(1)
    engine.view = msgspec.structs.replace(engine.view, status="completed", result=b"7")

    clock.advance(RESULT_RECHECK_S)

    assert (await waiting).status == "completed"


async def test_after_its_time_it_is_answered_as_it_is(engine: Engine, feed: Feed) -> None:
    clock = ManualClock()
    wanted = GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=ID)
    waiting = asyncio.ensure_future(
        workflows.ended(engine.control, feed, clock, wanted, wait_s=1.0)
    )
    await clock.until_sleeping(1)

    clock.advance(1.0)

    assert (await waiting).status == "running"
    assert feed.open == {}


async def test_one_that_its_key_started_before_is_followed_itself(
    engine: Engine, feed: Feed
) -> None:
    engine.known = Started(workflow_id=OTHER, duplicate=True)
    engine.view = msgspec.structs.replace(engine.view, status="completed", result=b"7")

    view = await workflows.started(engine.control, feed, CLOCK, START, wait_s=30.0)

    assert (view.workflow_id, view.result, feed.open) == (OTHER, b"7", {})


async def test_a_start_that_does_not_wait_follows_nothing(engine: Engine, feed: Feed) -> None:
    feed.subscribed.set()
    view = await workflows.started(engine.control, feed, CLOCK, START, wait_s=0.0)

    assert (view.status, engine.asked, feed.open) == ("running", 0, {})
