"""Queries of workflows: at any worker here that knows the code, with no row behind them."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters import bus_queries
from mainspring_engine.domain.limits import QUERY_ENGINES_MAX
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer
from mainspring_engine.domain.rows import Outcome, Workflow
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.state import WorkflowState
from mainspring_engine.ports.registry import Registry
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowRow
from mainspring_engine.usecases import queries as module
from mainspring_engine.usecases.attachments import Attachment, Attachments
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.queries import Queries
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import (
    DeadlineExceeded,
    MainspringError,
    NotFound,
    NoWorker,
    QueryFailed,
    TooManyRequests,
    ValidationFailed,
)
from mainspring_kernel.ids import SeededIds
from mainspring_kernel.limits import QUERY_ARGUMENTS_BYTES_MAX
from mainspring_messaging import MemoryBus, Message
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.subjects import query_answers, query_questions
from mainspring_schema.tasks import QueryResult, QueryTask
from mainspring_schema.wake import QueryAnswered, QueryAsked
from mainspring_schema.workflows import Flaw, QueryWorkflow

ORG, WORKFLOW, WORKER, ME, ELSEWHERE = (UUID(int=number) for number in (1, 2, 3, 4, 99))


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


class Others:
    """Engines beside this one; each answers, or has its reason."""

    def __init__(self) -> None:
        self.known: dict[UUID, bytes | MainspringError] = {}
        self.asked: list[tuple[UUID, QueryWorkflow]] = []

    async def replicas_of(
        self, queue: str, capability: str, *, build: str = "", limit: int
    ) -> tuple[UUID, ...]:
        assert (queue, capability, limit) == ("default", "workflow:order", QUERY_ENGINES_MAX)
        return (ME, *self.known)

    async def ask(self, replica: UUID, command: QueryWorkflow) -> bytes:
        self.asked.append((replica, command))
        answer = self.known[replica]
        if isinstance(answer, bytes):
            return answer
        raise answer


class Desk:
    """An engine with at most one worker."""

    def __init__(self, *, knows: str | None = "workflow:order", slots: int = 1) -> None:
        self.roster, self.attachments, self.outbox = Roster(), Attachments(), FrameOutbox()
        self.attachment = Attachment(WORKER, 1, self.outbox)
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
            self.attachments.add(self.attachment)
            self.roster.add(self.seat)
        store = cast("Store", cast("object", Rows()))
        ids = SeededIds(ManualClock(), seed=1)
        self.others = Others()
        self.queries = Queries(
            store=store,
            registry=cast("Registry", cast("object", self.others)),
            elsewhere=self.others,
            me=ME,
            roster=self.roster,
            attachments=self.attachments,
            ids=ids,
        )

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
    assert desk.attachment.held == {}
    assert desk.seat.free_slots == slots - 1, "the worker gives its slot back by itself"


async def test_no_beat_that_does_not_name_a_query_makes_it_doubtful() -> None:
    """It may have left before the query came; and no table has a query."""
    desk = Desk()

    await desk.asking()
    await desk.pushed()

    assert not desk.attachment.doubted((), now_s=1000.0)
    assert desk.attachment.given_before(1000.0) == ()


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
    desk.queries.left(desk.attachment)
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
    assert desk.attachment.held == {}


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


# ── elsewhere ───────────────────────────────────────────────────────────────────────────────────


async def test_an_engine_without_such_a_worker_asks_one_that_has_it() -> None:
    desk = Desk(knows=None)
    desk.others.known = {UUID(int=8): NoWorker("it left"), UUID(int=9): b'"waits"'}

    answer = await desk.queries.ask(question())

    assert answer == b'"waits"'
    assert desk.others.asked == [(UUID(int=8), question()), (UUID(int=9), question())]


async def test_a_worker_of_ones_own_is_asked_first() -> None:
    desk = Desk()
    desk.others.known = {UUID(int=9): b'"theirs"'}

    asking = await desk.asking()
    held, _ = await desk.pushed()
    desk.queries.answered(held, QueryResult(result=b'"mine"'))

    assert await asking == b'"mine"'
    assert desk.others.asked == []


async def test_what_the_code_refuses_elsewhere_is_told_and_nobody_else_is_asked() -> None:
    desk = Desk(knows=None)
    desk.others.known = {UUID(int=8): QueryFailed("unknown_query: x"), UUID(int=9): b"1"}

    with pytest.raises(QueryFailed, match="unknown_query"):
        await desk.queries.ask(question())


async def test_for_another_engine_only_the_workers_here_are_asked() -> None:
    desk = Desk(knows=None)
    desk.others.known = {UUID(int=9): b"1"}

    with pytest.raises(NoWorker, match="knows the workflow order"):
        await desk.queries.ask_here(question())
    assert desk.others.asked == []


class Pair:
    """Two engines on one bus: the first asks, the second answers."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        ids = SeededIds(ManualClock(), seed=1)
        self.asker = bus_queries.BusQueries(self.bus, me=ME, ids=ids)
        self.other = bus_queries.BusQueries(self.bus, me=WORKER, ids=ids)

    async def listening(self, answer: Callable[[QueryWorkflow], Awaitable[bytes]]) -> "Pair":
        await self.asker.listen(_nobody)
        await self.other.listen(answer)
        return self


async def _nobody(command: QueryWorkflow) -> bytes:
    raise AssertionError(command)


async def test_a_query_crosses_the_bus_and_its_answer_comes_back() -> None:
    async def answer(command: QueryWorkflow) -> bytes:
        return command.name.encode()

    pair = await Pair().listening(answer)

    assert await pair.asker.ask(WORKER, question()) == b"stage"


async def test_an_error_crosses_the_bus_as_what_it_is() -> None:
    async def answer(_: QueryWorkflow) -> bytes:
        detail = "it left"
        raise NoWorker(detail, retry_after_s=1.0)

    pair = await Pair().listening(answer)

    with pytest.raises(NoWorker, match="it left") as caught:
        await pair.asker.ask(WORKER, question())
    assert caught.value.retry_after_s == 1.0


def test_an_answer_that_comes_as_its_asker_leaves_is_no_error_that_nobody_looked_at() -> None:
    told: list[object] = []

    async def leaves() -> bool:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        pair = await Pair().listening(_nobody)

        def refuse(message: Message) -> None:
            asked = msgspec.msgpack.decode(message.data, type=QueryAsked)
            left = QueryAnswered(id=asked.id, error=("no_worker", "it left", 1.0))
            pair.bus.publish(query_answers(ME), pack(left))
            loop.call_soon(asking.cancel)  # before the asker can look at what was delivered

        await pair.bus.subscribe(query_questions(ELSEWHERE), refuse)
        asking = asyncio.ensure_future(pair.asker.ask(ELSEWHERE, question()))
        await asyncio.wait({asking})
        return asking.cancelled()

    assert asyncio.run(leaves())  # a loop of its own: others left things on theirs
    gc.collect()  # an error that nobody looked at is told by whoever frees it
    assert told == []


async def test_an_engine_that_answers_enough_refuses_another_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bus_queries, "QUERIES_AT_ONCE_MAX", 0)
    pair = await Pair().listening(_nobody)

    with pytest.raises(TooManyRequests):
        await pair.asker.ask(WORKER, question())


async def test_an_engine_that_died_has_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_queries, "QUERY_HEARD_S", 0.0)
    pair = await Pair().listening(_nobody)

    with pytest.raises(NoWorker, match="not heard of"):
        await pair.asker.ask(ELSEWHERE, question())


async def test_a_question_whose_answer_is_lost_ends_by_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(_: QueryWorkflow) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(bus_queries, "QUERY_S", 0.0)
    pair = await Pair().listening(never)

    with pytest.raises(DeadlineExceeded):
        await pair.asker.ask(WORKER, question())


async def test_what_cannot_be_read_or_is_not_waited_for_is_passed_over() -> None:
    async def answer(_: QueryWorkflow) -> bytes:
        return b"1"

    pair = await Pair().listening(answer)
    pair.bus.publish(query_questions(WORKER), b"\xc1")
    pair.bus.publish(query_answers(ME), b"\xc1")
    pair.bus.publish(query_answers(ME), pack(QueryAnswered(id=UUID(int=5), result=b"2")))

    assert await pair.asker.ask(WORKER, question()) == b"1"


async def test_without_the_bus_nobody_elsewhere_is_asked() -> None:
    pair = Pair()
    await pair.bus.close()

    with pytest.raises(NoWorker, match="another engine"):
        await pair.asker.ask(WORKER, question())
