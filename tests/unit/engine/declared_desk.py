"""A declared workflow on a desk: decisions applied to a view in memory, with many open tasks."""

from uuid import UUID

import msgspec

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.changes import Changes, CopySteps, NewSignal
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import (
    OpenTask,
    Outcome,
    SignalRow,
    TaskState,
    View,
    Waiting,
    WaitRow,
)
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.charts import Chart
from mainspring_engine.domain.workflow.state import Course, WorkflowState
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_schema.codec import pack
from mainspring_schema.events import decode_payload
from mainspring_schema.frames import Held
from mainspring_schema.tasks import PlainResult, StepTask, TaskResult, WorkflowResult
from mainspring_schema.workflows import (
    CancelWorkflow,
    Flaw,
    Fork,
    Parent,
    SignalWorkflow,
    StartWorkflow,
    Wait,
)
from tests.unit.engine.program import NoAgents


class Memory:
    """What a store has: declarations by hash, bodies by step."""

    def __init__(self) -> None:
        self.charts: dict[bytes, Chart] = {}
        self.bodies: dict[str, bytes] = {}

    def chart(self, digest: bytes) -> Chart | None:
        return self.charts.get(digest)

    def is_kept(self, digest: bytes) -> bool:
        return digest in self.charts

    def value(self, workflow_id: UUID, step: str) -> bytes | None:
        del workflow_id
        return self.bodies.get(step)


class DeclaredDesk:
    """Keeps what a store would: the view, open tasks with their payloads, results, events.

    `tasks` are by place; that of the workflow's own go is "workflow". `given` has the arguments of
    each step that ever began, `told` what it told other sessions. `under`: its keys and circuit.
    """

    def __init__(
        self,
        declaration: bytes | None,
        *,
        input_: bytes = b"[1]",
        queue: str = "default",
        build: str = "",
        start_within_ms: int | None = None,
        close_within_ms: int | None = None,
        parent: Parent | None = None,
        fork: "tuple[DeclaredDesk, Fork] | None" = None,
        under: tuple[tuple[str, ...], str] = ((), ""),
    ) -> None:
        self.clock = ManualClock()
        self.ids = SeededIds(self.clock, seed=7)
        self.id, self.memory = self.ids.uuid7(), Memory()
        self.materials = Materials(
            agents=NoAgents(), ids=self.ids, draws=SeededDraws(3), trace_ratio=0.0,
            recall=self.memory,
        )  # fmt: skip
        self.tasks: dict[str, OpenTask] = {}
        self.given: dict[str, object] = {}
        self.routes: dict[str, tuple[str, str]] = {}
        self.events: list[tuple[str, dict[str, object]]] = []
        self.waits: dict[str, WaitRow] = {}
        self.signals: dict[UUID, SignalRow] = {}
        self.told: list[NewSignal] = []
        self.last: Changes
        if fork is not None:
            self._inherit(*fork)
        command = StartWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=self.id, type="order", input=input_, key="k",
            queue=queue, declaration=declaration, build=build, start_within_ms=start_within_ms,
            close_within_ms=close_within_ms, parent=parent,
            fork=None if fork is None else fork[1], keys=under[0], circuit=under[1],
        )  # fmt: skip
        plan = Plan.opening(self.id, org_id=DEFAULT_ORG_ID, now_ms=self.clock.wall_ms())
        decide(plan, intents.WorkflowStarted(command=command), self.materials)
        self._apply(plan)
        self.begun = self.last

    def _inherit(self, source: "DeclaredDesk", fork: Fork) -> None:
        self.memory.charts |= source.memory.charts
        for place in map(str, fork.kept):
            self.memory.bodies[place] = source.memory.bodies[place]

    # ── what happens ────────────────────────────────────────────────────────────────────────────

    def do_all(self, *together: intents.Intent) -> list[Answer]:
        """Several in one flight."""
        self.materials.tasks[self.id] = tuple(self.tasks.values())
        self.materials.waiting[self.id] = Waiting(
            waits=tuple(self.waits.values()), signals=tuple(self.signals.values())
        )
        plan = Plan(self.view, org_id=DEFAULT_ORG_ID, now_ms=self.clock.wall_ms())
        answers = [decide(plan, intent, self.materials) for intent in together]
        self._apply(plan)
        return answers

    def do(self, intent: intents.Intent) -> Answer:
        return self.do_all(intent)[0]

    def brought(self, place: str, result: TaskResult, *, failures: int = 0) -> intents.Answered:
        """A worker takes the task of a step and brings this."""
        task = self.tasks[place]
        fence = task.fence + (task.state is not TaskState.LEASED)
        self.tasks[place] = msgspec.structs.replace(task, state=TaskState.LEASED, fence=fence)
        return intents.Answered(
            session_id=self.id, org_id=DEFAULT_ORG_ID, held=Held(task.id, fence),
            hash=place.encode() * 3, body=pack(result), result=result, failures=failures,
        )  # fmt: skip

    def ends(self, place: str, result: bytes = b"null") -> Answer:
        return self.do(self.brought(place, PlainResult(result=result)))

    def fails(self, place: str, *, retry_ms: int | None = None, failures: int = 0) -> Answer:
        result = PlainResult(flaw=Flaw(code="no_stock", message="none left"), retry_ms=retry_ms)
        return self.do(self.brought(place, result, failures=failures))

    def declared(self, declaration: bytes) -> intents.Answered:
        """A worker brings it."""
        result = WorkflowResult(outcome="declared", declaration=declaration)
        return self.brought("workflow", result)

    def declares(self, declaration: bytes) -> Answer:
        return self.do(self.declared(declaration))

    def cancel(self) -> Answer:
        command = CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=self.id, reason="enough")
        return self.do(intents.WorkflowCancelled(command=command))

    def signalled(self, name: str = "go", payload: bytes = b"null") -> intents.WorkflowSignalled:
        """Somebody sends it."""
        command = SignalWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=self.id, signal_id=self.ids.uuid7(), name=name,
            payload=payload,
        )  # fmt: skip
        return intents.WorkflowSignalled(command=command)

    def signal(self, name: str = "go", payload: bytes = b"null") -> Answer:
        return self.do(self.signalled(name, payload))

    def hears(self, source: UUID, kind: str, body: bytes = b"") -> Answer:
        """A signal of a parent or a child lies there and is brought."""
        self.signals[source] = SignalRow(source=source, kind=kind, body=body)
        return self.do(
            intents.SignalCame(session_id=self.id, org_id=DEFAULT_ORG_ID, source=source, kind=kind)
        )

    def due(self, place: str) -> Answer:
        """The time of what a step waits for is over."""
        return self.timer_due(self.waits[place].timer_id, "wait")

    def timer_due(self, timer_id: UUID | None, kind: str) -> Answer:
        assert timer_id is not None
        return self.do(
            intents.TimerDue(
                session_id=self.id, org_id=DEFAULT_ORG_ID, workflow_id=self.id,
                timer_id=timer_id, kind=kind,
            )
        )  # fmt: skip

    def dies(self, place: str, **rest: object) -> Answer:
        task = msgspec.structs.replace(self.tasks[place], **rest)
        self.tasks[place] = task
        return self.do(
            intents.Died(session_id=self.id, org_id=DEFAULT_ORG_ID, workflow_id=self.id, task=task)
        )

    # ── what is so ──────────────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> WorkflowState:
        assert self.view.workflow is not None
        return states.decode(self.view.workflow)

    @property
    def course(self) -> Course:
        assert self.state.course is not None
        return self.state.course

    @property
    def outcome(self) -> Outcome:
        assert self.view.workflow is not None
        return self.view.workflow.outcome

    @property
    def copied(self) -> CopySteps | None:
        """What its store was to copy from another one."""
        assert self.begun.start is not None
        return self.begun.start.copied

    @property
    def types(self) -> list[str]:
        return [type_ for type_, _ in self.events]

    def _apply(self, plan: Plan) -> None:
        self.last = changes = plan.changes()
        self.view: View = plan.view()
        places = {task.id: place for place, task in self.tasks.items()}
        for close in changes.closes:
            task = self.tasks.pop(places[close.task_id])
            assert (task.fence, task.state) == (close.fence, close.expected)
            if close.delay_ms is not None:
                delayed = msgspec.structs.replace(task, state=TaskState.DELAYED)
                self.tasks[places[close.task_id]] = delayed
        for new in changes.tasks:
            assert new.step not in self.given
            self.tasks[new.step] = OpenTask(
                id=new.id, kind=new.kind, state=TaskState.READY, fence=0, effect=new.effect,
                started=False, cancelling=False, deaths=0, failures=0, uncounted=0,
            )  # fmt: skip
            self.routes[new.step] = (new.route.queue, new.route.capability)
            if new.step != "workflow":
                made = msgspec.msgpack.decode(new.payload, type=StepTask)
                self.given[new.step] = msgspec.json.decode(made.input)
        for row in (*changes.results, *changes.steps):
            assert row.step not in self.memory.bodies
            self.memory.bodies[row.step] = row.body
        self._apply_waits(changes)
        for config in changes.configs:
            self.memory.charts[config.hash] = Chart(config.body)
        for event in changes.events:
            raw = decode_payload(event.payload).data
            told = msgspec.json.decode(raw, type=dict[str, object])
            self.events.append((event.type, told))

    def _apply_waits(self, changes: Changes) -> None:
        for ended in changes.ended_waits:
            del self.waits[ended.step]
        for wait in changes.waits:
            known = msgspec.msgpack.decode(wait.body, type=Wait)
            self.waits[wait.step] = WaitRow(workflow_id=self.id, wait=known, timer_id=wait.timer_id)
        self.told += [signal for signal in changes.signals if signal.to is not None]
        for signal in changes.signals:
            if not signal.taken and signal.to is None:
                row = SignalRow(source=signal.source, kind=signal.kind, body=signal.body)
                self.signals[signal.source] = row
        for take in changes.taken_signals:
            del self.signals[take.source]
