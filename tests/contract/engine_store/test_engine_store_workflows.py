"""Users' workflows in a store: starts by key, fenced steps, waits, signals, and what is read."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.changes import (
    Changes,
    CloseTask,
    EmitCounter,
    EndWait,
    NewEvent,
    NewTask,
    NewWait,
    RecordStep,
    Start,
    StepResult,
    Timer,
    WorkflowChange,
)
from mainspring_engine.domain.limits import HISTORY_PAGE_ROWS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import (
    Closing,
    Effect,
    Head,
    Outcome,
    TaskKind,
    TaskState,
    Waiting,
    WaitRow,
)
from mainspring_engine.ports.store import Committed
from mainspring_engine.ports.workflows import KnownStart, WorkflowFilter
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_schema.chain import GENESIS, link
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import SessionStatus
from mainspring_schema.workflows import Wait, generation_of, prefix_of
from tests.contract.engine_store.engine_worlds import IDS, ROUTE, Worker, World

HASH = b"i" * 32
WAIT = Wait(step="2", name="approve", kind="signal", delay_ms=50)


class Program:
    """A workflow that is its own session, as an engine would write it."""

    def __init__(
        self, world: World, org_id: UUID | None = None, *, key: str = "", route: Route = ROUTE
    ) -> None:
        self.world = world
        self.route = route
        self.id = IDS.uuid7()
        self.org_id = org_id or IDS.uuid7()
        self.key = key or self.id.hex
        self.rev = 0
        self.task = IDS.uuid7()
        self.head = Head(
            session_id=self.id,
            org_id=self.org_id,
            last_seq=0,
            hash=GENESIS,
            ts_ms=0,
            status=SessionStatus.STARTED,
        )

    def changes(self, *, late_ms: int = 0, **rest: object) -> Changes:
        now_ms = max(self.world.now_ms(), self.head.ts_ms) + late_ms
        seq = self.head.last_seq + 1
        digest = link(
            self.head.hash, session_id=self.id, seq=seq, type_="x.y", ts_ms=now_ms, payload=b"{}"
        )
        event = NewEvent(
            seq=seq, type="x.y", ts_ms=now_ms, turn_id=self.id, payload=b"{}", hash=digest
        )
        after = msgspec.structs.replace(self.head, last_seq=seq, hash=digest, ts_ms=now_ms)
        plain = Changes(expected=self.head, after=after, events=(event,))
        return msgspec.structs.replace(plain, **rest)

    def row(self, outcome: Outcome = Outcome.RUNNING) -> WorkflowChange:
        return WorkflowChange(
            id=self.id, expected_rev=self.rev, ordinal=1, outcome=outcome, state=b"s",
            config_hash=b"", traceparent="", started_ms=self.world.now_ms(),
        )  # fmt: skip

    def new_task(self, worker: Worker | None = None) -> NewTask:
        return NewTask(
            id=self.task, workflow_id=self.id, kind=TaskKind.WORKFLOW, route=self.route, priority=0,
            effect=Effect.IDEMPOTENT, step="workflow", payload=b"p",
            claim=None if worker is None else worker.claim,
        )  # fmt: skip

    def starting(self, worker: Worker | None = None, *, hash_: bytes = HASH) -> Changes:
        return self.changes(
            start=Start(workflow_id=self.id, type="order", key=self.key, queue="q", hash=hash_),
            workflows=(self.row(),),
            tasks=(self.new_task(worker),),
            steps=(self.step("0", fence=0),),
        )

    def step(self, place: str, *, fence: int = 1, body: bytes = b"body") -> RecordStep:
        return RecordStep(
            workflow_id=self.id, step=place, task_id=self.task if fence else self.id, fence=fence,
            input_hash=HASH, body=body,
        )  # fmt: skip

    def emit(self, counter: int, *, fence: int = 1) -> EmitCounter:
        return EmitCounter(task_id=self.task, fence=fence, counter=counter)

    async def commit(self, changes: Changes) -> Committed:
        (reply,) = await self.world.store.commit((changes,))
        if reply.verdict is Verdict.COMMITTED:
            self.head = changes.after
            self.rev += bool(changes.workflows)
        return reply

    async def started(self, worker: Worker | None = None) -> "Program":
        reply = await self.commit(self.starting(worker))
        assert reply.verdict is Verdict.COMMITTED, reply
        return self

    async def recorded(self) -> list[bytes]:
        return list((await self.world.store.workflows.recorded(self.id, after="")).bodies)


async def test_a_start_opens_its_own_session(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)

    view = (await world.store.load((program.id,)))[program.id]
    assert view.head == program.head
    assert view.workflow is not None
    assert (view.workflow.rev, view.workflow.is_turn) == (1, False)
    (task,) = (await world.store.open_tasks((program.id,)))[program.id]
    assert (task.state, task.kind) == (TaskState.LEASED, TaskKind.WORKFLOW)
    assert await program.recorded() == [b"body"]


async def test_a_key_starts_one_workflow(world: World) -> None:
    first = await Program(world, key="order-17").started()
    again = Program(world, first.org_id, key="order-17")

    reply = await again.commit(again.starting(hash_=b"o" * 32))

    assert reply.verdict is Verdict.DUPLICATE
    assert reply.started == KnownStart(workflow_id=first.id, hash=HASH)
    assert await world.store.load((again.id,)) == {}


async def test_a_key_is_its_organizations(world: World) -> None:
    await Program(world, key="order-18").started()
    other = Program(world, key="order-18")

    assert (await other.commit(other.starting())).verdict is Verdict.COMMITTED


@pytest.mark.parametrize("late_ms", [-2 * CLOCK_DRIFT_MS_MAX, 2 * CLOCK_DRIFT_MS_MAX])
@pytest.mark.parametrize("others", [0, 1])
async def test_a_start_at_a_time_that_is_far_off_is_decided_again(
    world: World, late_ms: int, others: int
) -> None:
    program = Program(world)
    start = program.starting()
    far_off = msgspec.structs.replace(
        program.changes(late_ms=late_ms), start=start.start, steps=start.steps
    )
    beside = tuple(Program(world).starting() for _ in range(others))

    reply, *rest = await world.store.commit((far_off, *beside))

    assert [one.verdict for one in rest] == [Verdict.COMMITTED] * others
    assert reply.verdict is Verdict.CONFLICT
    assert reply.view is not None
    assert reply.view.head is None
    assert (await program.commit(program.starting())).verdict is Verdict.COMMITTED


async def test_of_two_starts_with_one_key_in_a_flight_one_is_written(world: World) -> None:
    first = Program(world, key="order-19")
    second = Program(world, first.org_id, key="order-19")

    replies = await world.store.commit((first.starting(), second.starting()))

    assert sorted(reply.verdict for reply in replies) == [Verdict.COMMITTED, Verdict.DUPLICATE]


async def test_a_checkpoint_is_recorded_once(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)
    changes = program.changes(emits=(program.emit(1),), steps=(program.step("1"),))

    assert (await program.commit(changes)).verdict is Verdict.COMMITTED
    again = await program.commit(
        program.changes(emits=(program.emit(1),), steps=(program.step("1", body=b"other"),))
    )

    assert again.verdict is Verdict.DUPLICATE
    assert await program.recorded() == [b"body", b"body"]


async def test_a_checkpoint_of_a_lower_fence_is_stale(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)
    worker.attach_number = 2
    await world.store.attach((worker.attach_row(),))  # lists nothing: the task is ready again
    await worker.take(1)

    reply = await program.commit(
        program.changes(emits=(program.emit(1),), steps=(program.step("1"),))
    )

    assert reply.verdict is Verdict.STALE
    assert await program.recorded() == [b"body"]


async def test_the_counter_of_checkpoints_begins_anew_with_the_fence(
    world: World, worker: Worker, queue: str
) -> None:
    route = Route(queue=queue)
    program = await Program(world, route=route).started(worker)
    await program.commit(program.changes(emits=(program.emit(1),), steps=(program.step("1"),)))
    worker.attach_number = 2
    await world.store.attach((worker.attach_row(),))  # lists nothing: the task is ready again
    (again,) = await worker.take(1, route)

    reply = await program.commit(
        program.changes(
            emits=(program.emit(1, fence=again.held.fence),),
            steps=(program.step("2", fence=again.held.fence),),
        )
    )

    assert reply.verdict is Verdict.COMMITTED
    assert len(await program.recorded()) == 3


@pytest.mark.parametrize(
    ("outcome", "listed"), [(Outcome.COMPLETED, None), (Outcome.FAILED, b"out")]
)
async def test_the_last_steps_ride_with_the_result(
    world: World, worker: Worker, outcome: Outcome, listed: bytes | None
) -> None:
    program = await Program(world).started(worker)
    held = Held(program.task, 1)
    kept = StepResult(
        workflow_id=program.id, step="workflow", task_id=held.task_id, fence=1, body=b"out",
        hash=HASH,
    )  # fmt: skip

    reply = await program.commit(
        program.changes(
            workflows=(program.row(outcome),),
            closes=(
                CloseTask(
                    task_id=held.task_id, fence=1, expected=TaskState.LEASED,
                    closing=Closing.RESULT, result_hash=HASH,
                ),
            ),
            results=(kept,),
            steps=(program.step("1"),),
        )
    )  # fmt: skip

    assert reply.verdict is Verdict.COMMITTED
    row = await world.store.workflows.get(program.org_id, program.id)
    assert row is not None
    assert (row.type, row.key, row.queue) == ("order", program.key, "q")
    assert (row.outcome_body, row.workflow.outcome) == (b"out", outcome)
    (one,) = await world.store.workflows.list(WorkflowFilter(org_id=program.org_id))
    assert one.outcome_body == listed  # of lists only what failed is told
    # The workflow's own result is none of its steps.
    assert await program.recorded() == [b"body", b"body"]


async def test_one_place_waits_once(world: World) -> None:
    program = await Program(world).started()
    wait = NewWait(workflow_id=program.id, step="2", timer_id=None, body=pack(WAIT))
    end = EndWait(workflow_id=program.id, step="2")

    replies = [
        await program.commit(program.changes(waits=(wait,))),
        await program.commit(program.changes(waits=(wait,))),
        await program.commit(program.changes(ended_waits=(end,), waits=(wait,))),
    ]

    assert [reply.verdict.name for reply in replies] == ["COMMITTED", "INVALID", "COMMITTED"]


async def test_waits_are_read_with_their_timers_until_they_end(world: World) -> None:
    program = await Program(world).started()
    timer_id = IDS.uuid7()
    wait = NewWait(workflow_id=program.id, step="2", timer_id=timer_id, body=pack(WAIT))
    timer = Timer(id=timer_id, workflow_id=program.id, kind="wait", delay_ms=50)

    await program.commit(
        program.changes(workflows=(program.row(),), waits=(wait,), timers=(timer,))
    )

    row = WaitRow(workflow_id=program.id, wait=WAIT, timer_id=timer_id)
    assert await world.store.workflows.waiting((program.id,)) == {program.id: Waiting(waits=(row,))}
    await program.commit(
        program.changes(
            workflows=(program.row(),),
            ended_waits=(EndWait(workflow_id=program.id, step="2"),),
            dropped_timers=(timer_id,),
            steps=(program.step("2", fence=0),),
        )
    )
    assert await world.store.workflows.waiting((program.id,)) == {}
    assert await program.recorded() == [b"body", b"body"]


async def test_a_long_history_is_read_in_pages(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)
    places = [f"{n:04}" for n in range(1, HISTORY_PAGE_ROWS_MAX + 20)]
    steps = tuple(program.step(place, body=place.encode()) for place in places)
    await program.commit(program.changes(emits=(program.emit(1),), steps=steps))
    read = world.store.workflows.recorded

    first = await read(program.id, after="")
    rest = await read(program.id, after=first.bodies[-1].decode())

    assert (len(first.bodies), first.more, rest.more) == (HISTORY_PAGE_ROWS_MAX, True, False)
    assert [b.decode() for b in (*first.bodies, *rest.bodies)] == ["body", *places]


async def test_the_records_of_a_generation_are_read_without_those_before_it(
    world: World, worker: Worker
) -> None:
    program = await Program(world).started(worker)
    places = [f"{prefix_of(g)}{n}" for g in (0, 1, 2, 9, 10, 11, 99, 100) for n in (1, 10, "2/1")]
    steps = tuple(program.step(place, body=place.encode()) for place in places)
    await program.commit(program.changes(emits=(program.emit(1),), steps=steps))
    read = world.store.workflows.recorded

    for generation in (9, 10, 99, 100):
        page = await read(program.id, after=prefix_of(generation))
        newer = {body.decode() for body in page.bodies}
        assert newer == {place for place in places if generation_of(place) >= generation}


async def test_a_page_of_history_is_bounded_in_bytes(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)
    big = b"x" * 400_000
    steps = tuple(program.step(f"1{n}", body=big) for n in range(6))
    await program.commit(program.changes(emits=(program.emit(1),), steps=steps))

    page = await world.store.workflows.recorded(program.id, after="")

    assert page.more
    assert len(page.bodies) == 4  # the small one, and big ones until the bound is passed


async def test_records_are_read_at_their_places_alone(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)
    steps = tuple(program.step(place, body=place.encode()) for place in ("1", "2", "2/1", "10"))
    await program.commit(program.changes(emits=(program.emit(1),), steps=steps))

    page = await world.store.workflows.recorded_at(program.id, ("2/1", "10", "7", "2"))

    assert (page.bodies, page.more) == ((b"10", b"2", b"2/1"), False)


async def test_records_at_places_are_bounded_in_bytes_too(world: World, worker: Worker) -> None:
    program = await Program(world).started(worker)
    big = b"x" * 400_000
    places = tuple(f"1{n}" for n in range(6))
    steps = tuple(program.step(place, body=big) for place in places)
    await program.commit(program.changes(emits=(program.emit(1),), steps=steps))

    page = await world.store.workflows.recorded_at(program.id, places)

    assert page.more
    assert len(page.bodies) == 3  # until the bound is passed


async def test_workflows_are_listed_by_type_and_outcome_newest_first(world: World) -> None:
    one = await Program(world).started()
    two = await Program(world, one.org_id).started()
    await Program(world).started()
    rows = world.store.workflows

    async def listed(**wanted: object) -> list[UUID]:
        filter_ = WorkflowFilter(org_id=one.org_id)
        found = await rows.list(msgspec.structs.replace(filter_, **wanted))
        return [row.workflow.id for row in found]

    assert await listed() == [two.id, one.id]
    assert await listed(limit=1) == [two.id]
    assert await listed(before=two.id) == [one.id]
    assert await listed(status="completed") == []
    assert await listed(type="other") == []
    assert await listed(key=one.key) == [one.id]
    assert await listed(key=one.key, type="other") == []
    assert await listed(key=one.key, status="completed") == []
    assert await listed(key=one.key[:-1]) == []
    assert await listed(key=one.key, org_id=IDS.uuid7()) == []
    assert await rows.get(IDS.uuid7(), one.id) is None
