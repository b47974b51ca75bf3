"""Queries of workflows: at any worker here that knows the code, with no row behind them."""

import asyncio
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer
from mainspring_engine.domain.rows import Outcome, Workflow
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.state import WorkflowState
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowRow
from mainspring_engine.usecases import queries as module
from mainspring_engine.usecases.links import Link, Links
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.queries import Queries
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import (
    DeadlineExceeded,
    NotFound,
    NoWorker,
    QueryFailed,
    TooManyRequests,
    ValidationFailed,
)
from mainspring_kernel.ids import SeededIds
from mainspring_kernel.query_limits import QUERY_ARGUMENTS_BYTES_MAX
from mainspring_schema.frames import Held
from mainspring_schema.tasks import QueryResult, QueryTask
from mainspring_schema.workflows import Flaw, QueryWorkflow

ORG, WORKFLOW, WORKER = UUID(int=1), UUID(int=2), UUID(int=3)


class Rows:
    """Knows one workflow."""

    @property
    def workflows(self) -> "Rows":
        return self

    async def get(self, org_id: UUID, workflow_id: UUID) -> WorkflowRow | None:
        if (org_id, workflow_id) != (ORG, WORKFLOW):
            return None
        state = WorkflowState(type="order", key="k", queue="default", generation=2)
        row = Workflow(
            id=WORKFLOW, session_id=WORKFLOW, org_id=ORG, ordinal=1, rev=1,
            outcome=Outcome.RUNNING, state=states.encode(state), config_hash=b"",
            traceparent="", started_ms=0,
        )  # fmt: skip
        return WorkflowRow(workflow=row, type="order", key="k", queue="default")


class Desk:
    """An engine with at most one worker."""

    def __init__(self, *, knows: str | None = "workflow:order", slots: int = 1) -> None:
        self.roster, self.links, self.outbox = Roster(), Links(), FrameOutbox()
        self.link = Link(WORKER, 1, self.outbox)
        self.seat = Seat(
            WORKER,
            1,
            Offer(
                queues=frozenset({"default"}),
                capabilities=frozenset({knows} if knows else set()),
                build="",
            ),
            slots,
        )
        if knows is not None:
            self.links.add(self.link)
            self.roster.add(self.seat)
        store = cast("Store", cast("object", Rows()))
        ids = SeededIds(ManualClock(), seed=1)
        self.queries = Queries(store=store, roster=self.roster, links=self.links, ids=ids)

    async def asking(self) -> "asyncio.Task[bytes]":
        return asyncio.create_task(self.queries.ask(question()))

    async def pushed(self) -> tuple[Held, QueryTask]:
        frame = await self.outbox.next_frame()
        assert frame is not None
        (task,) = frame.tasks
        return task.held, msgspec.msgpack.decode(task.payload, type=QueryTask)


def question(**rest: object) -> QueryWorkflow:
    asked = QueryWorkflow(org_id=ORG, workflow_id=WORKFLOW, name="stage", arguments=b"[7]")
    return msgspec.structs.replace(asked, **rest)


@pytest.mark.parametrize("slots", [1, 0], ids=["a worker with time", "a worker that is full"])
async def test_a_worker_that_knows_the_code_answers(slots: int) -> None:
    desk = Desk(slots=slots)

    asking = await desk.asking()
    held, asked = await desk.pushed()
    during = held in desk.queries
    desk.queries.answered(held, QueryResult(result=b'"waits"'))

    assert await asking == b'"waits"'
    assert (asked.workflow_id, asked.generation, asked.name, asked.arguments) == (
        WORKFLOW, 2, "stage", b"[7]",
    )  # fmt: skip
    assert (during, held in desk.queries) == (True, False)
    assert desk.link.held == {}
    assert desk.seat.free_slots == slots - 1, "the worker gives its slot back by itself"


async def test_what_its_code_refuses_is_told() -> None:
    desk = Desk()

    asking = await desk.asking()
    held, _ = await desk.pushed()
    flaw = Flaw(code="unknown_query", message="stage; the code answers price")
    desk.queries.answered(held, QueryResult(flaw=flaw))

    with pytest.raises(QueryFailed, match="unknown_query: stage; the code answers price"):
        await asking


@pytest.mark.parametrize("knows", [None, "workflow:other"])
async def test_without_a_worker_that_knows_the_code_it_is_refused_at_once(
    knows: str | None,
) -> None:
    with pytest.raises(NoWorker, match="knows the workflow order"):
        await Desk(knows=knows).queries.ask(question())


async def test_a_worker_that_goes_away_or_hands_back_is_told() -> None:
    desk = Desk()

    left = await desk.asking()
    await desk.pushed()
    desk.queries.left(desk.link)
    returned = await desk.asking()
    held, _ = await desk.pushed()
    desk.queries.returned(held)

    with pytest.raises(NoWorker, match="went away"):
        await left
    with pytest.raises(NoWorker, match="handed the query back"):
        await returned


async def test_an_answer_that_does_not_come_ends_the_query_and_frees_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUERY_S", 0.0)
    desk = Desk()

    with pytest.raises(DeadlineExceeded):
        await desk.queries.ask(question())

    frame = await desk.outbox.next_frame()
    assert frame is not None
    assert frame.lost == tuple(task.held for task in frame.tasks)
    assert desk.link.held == {}


async def test_queries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUERIES_AT_ONCE_MAX", 1)
    desk = Desk()
    asking = await desk.asking()
    held, _ = await desk.pushed()

    with pytest.raises(TooManyRequests):
        await desk.queries.ask(question())
    with pytest.raises(ValidationFailed):
        await desk.queries.ask(question(arguments=b" " * (QUERY_ARGUMENTS_BYTES_MAX + 1)))
    with pytest.raises(NotFound):
        await desk.queries.ask(question(org_id=UUID(int=9)))
    desk.queries.answered(held, QueryResult())

    assert await asking == b"null"


async def test_an_answer_that_nobody_waits_for_is_passed_over() -> None:
    desk = Desk()
    asking = await desk.asking()
    held, _ = await desk.pushed()

    asking.cancel()
    await asyncio.wait((asking,))
    desk.queries.answered(held, QueryResult())

    assert held not in desk.queries
