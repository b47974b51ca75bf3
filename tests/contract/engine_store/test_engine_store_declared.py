"""Declared workflows by their own decisions, written to either store."""

import hashlib
from uuid import UUID

import msgspec

from mainspring_engine.domain import intents
from mainspring_engine.domain.changes import Changes, Claim, CopySteps
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.materials import Materials, StepMissing
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Outcome, View
from mainspring_engine.domain.workflow.charts import Chart
from mainspring_engine.ports.store import Committed, Step
from mainspring_kernel.draws import SystemDraws
from mainspring_schema.codec import pack, to_json
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    Expression,
    ListOf,
    OfInput,
    OfStep,
    Parameter,
)
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.operations import ListTasks
from mainspring_schema.tasks import PlainResult, WorkflowResult
from mainspring_schema.workflows import Flaw, StartWorkflow
from tests.contract.engine_store.engine_worlds import IDS, Worker, World
from tests.contract.engine_store.test_engine_store_workflows import Program
from tests.unit.engine.declared_desk import Memory
from tests.unit.engine.program import NoAgents


def step(given: Expression, *after: int) -> DeclaredStep:
    return DeclaredStep(step="add", arguments=ListOf(items=(given,)), after=after)


INPUT = OfInput(name="n")
CHAIN = Declaration(
    parameters=(Parameter(name="n"),),
    steps=(step(INPUT), step(OfStep(step=1), 1), step(INPUT, 2)),
    result=ListOf(items=(OfStep(step=1), OfStep(step=3))),
)
FAN = Declaration(
    parameters=(Parameter(name="n"),),
    steps=(step(INPUT), step(INPUT), step(OfStep(step=1), 1, 2)),
    result=OfStep(step=3),
)


class Course:
    """One declared workflow, decided and written as an engine would; tasks are `worker`'s."""

    def __init__(self, world: World, worker: Worker, declaration: Declaration, queue: str) -> None:
        self.world = world
        self.claim: Claim | None = worker.claim
        self.route = Route(queue=queue, capability="task:add")
        self.id, self.org_id = IDS.uuid7(), IDS.uuid7()
        self.raw = to_json(declaration)
        self.view: View
        self.open: dict[str, Held] = {}
        memory = Memory()
        memory.charts[hashlib.sha256(self.raw).digest()] = Chart(self.raw)
        self.materials = Materials(
            agents=NoAgents(), ids=IDS, draws=SystemDraws(), trace_ratio=0.0, recall=memory
        )

    async def started(self) -> "Course":
        command = StartWorkflow(
            org_id=self.org_id, workflow_id=self.id, type="order", input=b"[1]",
            queue=self.route.queue, declaration=self.raw,
        )  # fmt: skip
        plan = Plan.opening(self.id, org_id=self.org_id, now_ms=self.world.now_ms())
        decide(plan, intents.WorkflowStarted(command=command), self.materials)
        assert (await self.write(plan)).verdict is Verdict.COMMITTED
        return self

    def answer(
        self, place: str, result: PlainResult, *, held: Held | None = None, failures: int = 0
    ) -> intents.Answered:
        body = pack(result)
        return intents.Answered(
            session_id=self.id, org_id=self.org_id, held=held or self.open[place],
            hash=hashlib.sha256(body).digest(), body=body, result=result, failures=failures,
        )  # fmt: skip

    async def ends(self, *places: str) -> Committed:
        """All of them in one flight, each with its own number."""
        return await self.decided(
            *(self.answer(place, PlainResult(result=place.encode())) for place in places)
        )

    async def decided(self, *together: intents.Answered) -> Committed:
        while True:
            plan = Plan(self.view, org_id=self.org_id, now_ms=self.world.now_ms())
            try:
                for intent in together:
                    decide(plan, intent, self.materials)
            except StepMissing as missing:
                wanted = tuple(
                    Step(workflow_id=missing.workflow_id, step=step) for step in missing.steps
                )
                self.materials.steps.update(await self.world.store.steps(wanted))
            else:
                return await self.write(plan)

    async def write(self, plan: Plan) -> Committed:
        changes = self.claimed(plan.changes())
        (reply,) = await self.world.store.commit((changes,))
        if reply.verdict is Verdict.COMMITTED:
            self.view = plan.view()
            closed = {close.task_id for close in changes.closes}
            self.open = {p: held for p, held in self.open.items() if held.task_id not in closed}
            self.open |= {task.step: Held(task.id, 1) for task in changes.tasks}
        return reply

    def claimed(self, changes: Changes) -> Changes:
        tasks = (msgspec.structs.replace(task, claim=self.claim) for task in changes.tasks)
        return msgspec.structs.replace(changes, tasks=tuple(tasks))

    async def bodies(self, *steps: str) -> list[bytes | None]:
        wanted = tuple(Step(workflow_id=self.id, step=step) for step in steps)
        found = await self.world.store.steps(wanted)
        return [found.get((self.id, step)) for step in steps]


async def test_a_chain_is_carried_to_its_end_with_all_that_its_steps_came_to(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, CHAIN, queue).started()

    for place in ("1", "2", "3"):
        assert (await course.ends(place)).verdict is Verdict.COMMITTED

    results = [pack(PlainResult(result=b"%d" % n)) for n in (1, 2, 3)]
    assert await course.bodies("1", "2", "3") == results
    row = await world.store.workflows.get(course.org_id, course.id)
    assert row is not None
    assert (row.workflow.outcome, row.outcome_body) == (
        Outcome.COMPLETED,
        pack(WorkflowResult(outcome="completed", result=b"[1,3]")),
    )
    assert await world.store.open_tasks((course.id,)) == {}


async def test_a_step_that_was_committed_is_not_committed_again(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, CHAIN, queue).started()
    held = course.open["1"]
    await course.ends("1")

    same = await course.decided(course.answer("1", PlainResult(result=b"1"), held=held))
    other = await course.decided(course.answer("1", PlainResult(result=b"9"), held=held))

    assert [reply.closes[0].verdict for reply in (same, other)] == [
        Verdict.DUPLICATE, Verdict.STALE,
    ]  # fmt: skip
    assert await course.bodies("1", "2") == [pack(PlainResult(result=b"1")), None]
    assert await world.attempts(held.task_id) == [(1, Closing.RESULT)]


async def test_what_a_lost_attempt_brings_is_stale(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, CHAIN, queue).started()
    late = course.open["1"]
    worker.attach_number = 2
    await world.store.attach((worker.attach_row(),))  # lists nothing: the task is ready again
    (again,) = await worker.take(1, course.route)

    lost = await course.decided(course.answer("1", PlainResult(result=b"8"), held=late))
    found = await course.decided(course.answer("1", PlainResult(result=b"1"), held=again.held))

    assert (lost.verdict, found.verdict) == (Verdict.STALE, Verdict.COMMITTED)
    assert await course.bodies("1") == [pack(PlainResult(result=b"1"))]


async def test_a_step_is_tried_again_when_its_time_comes(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, CHAIN, queue).started()
    flaw = Flaw(code="busy", message="later")

    reply = await course.decided(course.answer("1", PlainResult(flaw=flaw, retry_ms=200)))
    await world.pass_time(1.0)
    await world.store.ready_retries(100)
    (again,) = await worker.take(1, course.route)

    assert reply.verdict is Verdict.COMMITTED
    assert (again.held.fence, again.failures, again.workflow_id) == (2, 1, course.id)
    result = PlainResult(result=b"1")
    last = await course.decided(course.answer("1", result, held=again.held, failures=1))
    assert last.verdict is Verdict.COMMITTED
    assert list(course.open) == ["2"]


async def test_branches_that_end_together_are_one_change(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, FAN, queue).started()

    assert (await course.ends("1", "2")).verdict is Verdict.COMMITTED

    tasks = await world.backstage.inspection.tasks(ListTasks(org_id=course.org_id, limit=10))
    assert [(task.step, task.kind, task.workflow_id) for task in tasks] == [
        ("3", "step", course.id)
    ]
    assert (await course.ends("3")).verdict is Verdict.COMMITTED


async def test_of_two_engines_that_end_branches_one_decides_again(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, FAN, queue).started()
    view = course.view
    await course.ends("1")
    present, course.view = course.view, view

    reply = await course.ends("2")

    assert reply.verdict is Verdict.CONFLICT
    assert reply.view is not None
    assert reply.view.workflow == present.workflow
    course.view = reply.view
    assert (await course.ends("2")).verdict is Verdict.COMMITTED
    assert list(course.open) == ["3"]


async def test_a_step_that_failed_ends_all_that_is_open(
    world: World, worker: Worker, queue: str
) -> None:
    course = await Course(world, worker, FAN, queue).started()
    other = course.open["2"]
    course.materials.tasks.update(await world.store.open_tasks((course.id,)))
    flaw = Flaw(code="no_stock", message="none")

    reply = await course.decided(course.answer("1", PlainResult(flaw=flaw)))

    assert reply.verdict is Verdict.COMMITTED
    assert await world.store.open_tasks((course.id,)) == {}
    assert await world.attempts(other.task_id) == [(1, Closing.CANCELLED)]
    row = await world.store.workflows.get(course.org_id, course.id)
    assert row is not None
    assert row.workflow.outcome is Outcome.FAILED


# ── forks ───────────────────────────────────────────────────────────────────────────────────────


async def forked(
    source: Course, *places: str, org_id: UUID | None = None
) -> tuple[Program, Committed]:
    fork = Program(source.world, org_id or source.org_id)
    changes = fork.starting()
    assert changes.start is not None
    copied = CopySteps(source_id=source.id, bound="", places=places)
    start = msgspec.structs.replace(changes.start, copied=copied)
    return fork, await fork.commit(msgspec.structs.replace(changes, start=start))


async def test_a_fork_has_the_results_that_it_names_and_no_others(
    world: World, worker: Worker, queue: str
) -> None:
    source = await Course(world, worker, CHAIN, queue).started()
    await source.ends("1")
    await source.ends("2")

    fork, reply = await forked(source, "1")

    assert reply.verdict is Verdict.COMMITTED
    assert await world.store.steps((Step(workflow_id=fork.id, step="1"),)) == {
        (fork.id, "1"): pack(PlainResult(result=b"1"))
    }
    # A fork of it takes it over as well, and it may do the rest itself.
    again = Course(world, worker, CHAIN, queue)
    again.id, again.org_id = fork.id, fork.org_id
    second, reply = await forked(again, "1")
    assert reply.verdict is Verdict.COMMITTED
    assert await world.store.steps((Step(workflow_id=second.id, step="2"),)) == {}


async def test_a_fork_begins_with_all_that_it_names_or_not_at_all(
    world: World, worker: Worker, queue: str
) -> None:
    source = await Course(world, worker, CHAIN, queue).started()
    await source.ends("1")

    _, missing = await forked(source, "1", "2")
    _, foreign = await forked(source, "1", org_id=IDS.uuid7())

    assert (missing.verdict, foreign.verdict) == (Verdict.INVALID, Verdict.INVALID)
