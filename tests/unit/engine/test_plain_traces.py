"""Traces of plain tasks, through a whole engine over memory."""

import asyncio
import threading
from collections.abc import AsyncIterator

import msgspec
import pytest

from mainspring_engine.adapters.memory import MemoryGates, MemoryStore, memory_backstage
from mainspring_engine.domain.plain import PlainDied, is_same, made_of, trace_of
from mainspring_engine.domain.rows import Closing, Effect, OpenTask, TaskKind, TaskState
from mainspring_engine.main import Engine
from mainspring_engine.usecases.plain_traces import PlainTraces
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_kernel.tracing import TraceContext, span_id_for
from mainspring_messaging import MemoryBus
from mainspring_schema.frames import FromWorker, Held, Verdict
from mainspring_schema.plain import CancelPlainTask, SubmitTask, SubmitTasks, TaskReceipt
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw
from tests.integration.engine.house import SilentWitness
from tests.integration.engine.scripted_worker import ScriptedWorker

IDS = RandomIds(SystemClock())
TRACE = TraceContext(trace_id=7, span_id=9, sampled=True)
ABOVE = TRACE.format()
LATER = TRACE.under(10).format()


@pytest.fixture
def witness() -> SilentWitness:
    return SilentWitness()


@pytest.fixture
async def engine(witness: SilentWitness) -> AsyncIterator[Engine]:
    clock, lock = SystemClock(), threading.RLock()
    store = MemoryStore(lock=lock, log=MemoryLog(lock=lock, clock=clock), clock=clock)
    engine = Engine(
        store=store,
        gates=MemoryGates(store.tables, lock=lock, clock=clock),
        backstage=memory_backstage(store, lock=lock, clock=clock),
        bus=MemoryBus(),
        witness=lambda _: witness,
        clock=clock,
        ids=IDS,
        draws=SeededDraws(5),
        trace_ratio=0.0,
        epoch=1,
    )
    work = asyncio.create_task(engine.work())
    yield engine
    work.cancel()
    await asyncio.wait({work})


@pytest.fixture
async def worker(engine: Engine) -> AsyncIterator[ScriptedWorker]:
    worker = ScriptedWorker(IDS)
    await worker.attach(engine.conversations, slots=1, capabilities=("task:add",))
    yield worker
    await worker.leave()


def order(traceparent: str | None = ABOVE) -> SubmitTask:
    return SubmitTask(
        org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7(), type="add", traceparent=traceparent
    )


async def receipts(engine: Engine, *tasks: SubmitTask) -> tuple[TaskReceipt, ...]:
    return (await engine.plain_tasks.submit(SubmitTasks(tasks=tasks))).receipts


async def test_attempts_are_spans_under_the_one_that_the_caller_named(
    engine: Engine, worker: ScriptedWorker, witness: SilentWitness
) -> None:
    # One slot: the first is inserted claimed, the second is claimed once that has ended.
    first, second = order(), order()
    await receipts(engine, first, second)

    for _ in range(2):
        task = await worker.next_task()
        span_id = span_id_for(task.held.task_id, task.held.fence)
        assert task.traceparent == TRACE.under(span_id).format()
        worker.bring(task, PlainResult(flaw=Flaw(code="step_failed", message="no")))
        assert (await worker.acknowledged()).verdict is Verdict.COMMITTED

    assert {end.held.task_id for end in witness.ended} == {first.task_id, second.task_id}
    assert {(end.traceparent, end.closing) for end in witness.ended} == {(ABOVE, Closing.FAILED)}
    assert all(0 < end.claimed_ms <= end.ended_ms for end in witness.ended)


async def test_an_attempt_that_a_cancel_ended_is_a_span(
    engine: Engine, worker: ScriptedWorker, witness: SilentWitness
) -> None:
    traced, bare = order(), order(None)
    for task in (traced, bare):
        await receipts(engine, task)
        await worker.next_task()

        await engine.operator.operate(
            CancelPlainTask(org_id=DEFAULT_ORG_ID, task_id=task.task_id, reason="enough")
        )
        worker.send(FromWorker(credits=1))

    (end,) = witness.ended
    assert (end.held, end.traceparent) == (Held(traced.task_id, 1), ABOVE)
    assert end.closing is Closing.CANCELLED
    assert 0 < end.claimed_ms <= end.ended_ms


async def test_an_attempt_whose_worker_was_lost_is_a_span(
    engine: Engine, worker: ScriptedWorker, witness: SilentWitness
) -> None:
    task = order()
    await receipts(engine, task)
    await worker.next_task()
    other = ScriptedWorker(IDS)

    await worker.leave()
    await other.attach(engine.conversations, slots=1, capabilities=("task:add",))
    again = await other.next_task()  # after the grace of the first one's stream

    assert again.held == Held(task.task_id, 2)
    (end,) = witness.ended
    assert (end.held, end.traceparent) == (Held(task.task_id, 1), ABOVE)
    assert 0 < end.claimed_ms <= end.ended_ms
    await other.leave()


async def test_the_last_attempt_that_killed_its_worker_is_a_span(
    engine: Engine, witness: SilentWitness
) -> None:
    traces = PlainTraces(engine.store, witness, SystemClock())
    task = order()
    await receipts(engine, task)
    last = OpenTask(
        id=task.task_id, kind=TaskKind.PLAIN, state=TaskState.LEASED, fence=3,
        effect=Effect.IDEMPOTENT, started=False, cancelling=False, deaths=2, failures=0,
        uncounted=0,
    )  # fmt: skip

    await traces.died([PlainDied(task=last, claimed_ms=5)])

    (end,) = witness.ended
    assert (end.held, end.closing, end.claimed_ms) == (Held(last.id, 3), Closing.QUARANTINED, 5)
    assert end.traceparent == ABOVE


@pytest.mark.parametrize("traceparent", [None, "broken"])
async def test_a_task_without_a_trace_has_no_spans(
    engine: Engine, worker: ScriptedWorker, witness: SilentWitness, traceparent: str | None
) -> None:
    await receipts(engine, order(traceparent))

    task = await worker.next_task()
    worker.bring(task, PlainResult(result=b"3"))
    await worker.acknowledged()

    assert task.traceparent == ""
    assert witness.ended == []


@pytest.mark.parametrize(("first", "second"), [(ABOVE, LATER), (ABOVE, None), (None, ABOVE)])
async def test_the_same_task_with_another_trace_is_a_duplicate(
    engine: Engine, first: str | None, second: str | None
) -> None:
    task = order(first)
    again = msgspec.structs.replace(task, traceparent=second)
    other = msgspec.structs.replace(again, input=b"[7]")

    (taken,) = await receipts(engine, task)
    (repeated,) = await receipts(engine, again)
    (refused,) = await receipts(engine, other)

    assert not taken.duplicate
    assert repeated.duplicate
    assert refused.refusal is not None
    assert refused.refusal.code == "task_id_mismatch"


async def test_two_of_one_call_that_differ_in_their_traces_are_one(engine: Engine) -> None:
    task = order()

    taken, repeated = await receipts(engine, task, msgspec.structs.replace(task, traceparent=LATER))

    assert (taken.duplicate, repeated.duplicate) == (False, True)


def test_a_payload_bears_its_trace_and_is_the_same_without_it() -> None:
    traced = order()
    bare = msgspec.structs.replace(traced, traceparent=None)
    talks = msgspec.structs.replace(bare, input=b'["traceparent"]')

    assert trace_of(made_of(traced).payload) == ABOVE
    assert trace_of(made_of(bare).payload) == trace_of(made_of(talks).payload) == ""
    assert b"traceparent" not in made_of(bare).payload
    assert is_same(made_of(traced).payload, made_of(bare).payload)
    assert not is_same(made_of(bare).payload, made_of(talks).payload)


def test_a_payload_that_cannot_be_read_here_goes_to_a_worker_all_the_same() -> None:
    strange = b"\xc1traceparent"

    assert trace_of(strange) == ""
    assert is_same(strange, strange)
    assert not is_same(strange, made_of(order()).payload)
