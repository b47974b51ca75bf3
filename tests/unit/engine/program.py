"""A workflow on a desk: decisions are applied to a view in memory, with no store and no time."""

from uuid import UUID

import msgspec

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.changes import Changes, NewSignal
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import (
    OpenTask,
    SignalRow,
    TaskState,
    View,
    Waiting,
    WaitRow,
)
from mainspring_engine.domain.turn.agent import TurnAgent
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.state import WorkflowState
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_schema.codec import pack
from mainspring_schema.events import decode_payload
from mainspring_schema.frames import Emit, Held
from mainspring_schema.tasks import TaskResult, WorkflowResult
from mainspring_schema.workflows import (
    CancelWorkflow,
    Fork,
    Parent,
    SignalWorkflow,
    StartWorkflow,
    StepRecord,
    Wait,
)


class NoAgents:
    def get(self, config_hash: bytes) -> TurnAgent | None:
        return None


class Desk:
    """Keeps what a store would: the view, the task, waits, signals, records, events."""

    def __init__(
        self,
        parent: Parent | None = None,
        fork: Fork | None = None,
        build: str = "",
        keys: tuple[str, ...] = (),
        circuit: str = "",
        start_within_ms: int | None = None,
        close_within_ms: int | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.ids = SeededIds(self.clock, seed=7)
        self.id = self.ids.uuid7()
        self.materials = Materials(
            agents=NoAgents(), ids=self.ids, draws=SeededDraws(3), trace_ratio=0.0
        )
        self.task: OpenTask | None = None
        self.waits: dict[str, WaitRow] = {}
        self.signals: dict[UUID, SignalRow] = {}
        self.records: dict[str, StepRecord] = {}
        self.types: list[str] = []
        self.data: list[tuple[str, dict[str, object]]] = []
        self.told: list[NewSignal] = []
        """What it told other sessions."""
        self.last: Changes
        self.counter = 0
        command = StartWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=self.id, type="order", input=b"[1]", key="k",
            parent=parent, fork=fork, build=build, keys=keys, circuit=circuit,
            start_within_ms=start_within_ms, close_within_ms=close_within_ms,
        )  # fmt: skip
        plan = Plan.opening(self.id, org_id=DEFAULT_ORG_ID, now_ms=self.clock.wall_ms())
        self.started = decide(plan, intents.WorkflowStarted(command=command), self.materials)
        self._apply(plan)

    def do(self, intent: intents.Intent) -> Answer:
        self.materials.tasks[self.id] = () if self.task is None else (self.task,)
        self.materials.waiting[self.id] = Waiting(
            waits=tuple(self.waits.values()), signals=tuple(self.signals.values())
        )
        self.materials.steps = {(self.id, place): pack(one) for place, one in self.records.items()}
        waits = intent.emit.waits if isinstance(intent, intents.Emitted) else ()
        if isinstance(intent, intents.Answered) and isinstance(intent.result, WorkflowResult):
            waits = intent.result.waits
        self.materials.unrecorded = {
            (self.id, wait.step) for wait in waits if wait.step not in self.records
        }
        plan = Plan(self.view, org_id=DEFAULT_ORG_ID, now_ms=self.clock.wall_ms())
        answer = decide(plan, intent, self.materials)
        self._apply(plan)
        return answer

    @property
    def state(self) -> WorkflowState:
        assert self.view.workflow is not None
        return states.decode(self.view.workflow)

    @property
    def held(self) -> Held:
        assert self.task is not None
        return Held(self.task.id, self.task.fence)

    def claimed(self, **rest: object) -> OpenTask:
        """A worker takes the task that waits."""
        assert self.task is not None
        fence = self.task.fence + 1
        plain = msgspec.structs.replace(self.task, state=TaskState.LEASED, fence=fence)
        self.task = msgspec.structs.replace(plain, **rest)
        return self.task

    def brings(self, result: TaskResult, *, elsewhere: bool = False) -> Answer:
        return self.do(
            intents.Answered(
                session_id=self.id, org_id=DEFAULT_ORG_ID, held=self.held, hash=b"r" * 32,
                body=pack(result), result=result, elsewhere=elsewhere,
            )
        )  # fmt: skip

    def suspends(self, *waits: Wait) -> Answer:
        return self.brings(WorkflowResult(outcome="suspended", waits=waits))

    def emits(self, *steps: StepRecord, waits: tuple[Wait, ...] = ()) -> Answer:
        self.counter += 1
        emit = Emit(held=self.held, counter=self.counter, steps=steps, waits=waits)
        return self.do(intents.Emitted(session_id=self.id, org_id=DEFAULT_ORG_ID, emit=emit))

    def signal(self, name: str, payload: bytes = b"1") -> Answer:
        command = SignalWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=self.id, signal_id=self.ids.uuid7(), name=name,
            payload=payload,
        )  # fmt: skip
        return self.do(intents.WorkflowSignalled(command=command))

    def hears(self, source: UUID, kind: str, body: bytes = b"") -> Answer:
        """A signal of a parent or a child lies there and is brought."""
        self.signals[source] = SignalRow(source=source, kind=kind, body=body)
        return self.brought(source, kind)

    def brought(self, source: UUID, kind: str) -> Answer:
        return self.do(
            intents.SignalCame(session_id=self.id, org_id=DEFAULT_ORG_ID, source=source, kind=kind)
        )

    def cancel(self, *, force: bool = False) -> Answer:
        command = CancelWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=self.id, reason="enough", force=force
        )
        return self.do(intents.WorkflowCancelled(command=command))

    def due(self, timer_id: UUID | None, kind: str = "wait") -> Answer:
        assert timer_id is not None
        return self.do(
            intents.TimerDue(
                session_id=self.id, org_id=DEFAULT_ORG_ID, workflow_id=self.id,
                timer_id=timer_id, kind=kind,
            )
        )  # fmt: skip

    def dies(self, *, acknowledged: bool = True, seen: OpenTask | None = None) -> Answer:
        """`seen`: as the task was when it was found lost."""
        assert self.task is not None
        return self.do(
            intents.Died(
                session_id=self.id,
                org_id=DEFAULT_ORG_ID,
                workflow_id=self.id,
                task=seen or self.task,
                acknowledged=acknowledged,
            )
        )

    def _apply(self, plan: Plan) -> None:
        self.last = changes = plan.changes()
        self.view: View = plan.view()
        for close in changes.closes:
            assert self.task is not None
            assert (self.task.id, self.task.fence) == (close.task_id, close.fence)
            delayed = msgspec.structs.replace(self.task, state=TaskState.DELAYED)
            self.task = None if close.delay_ms is None else delayed
        for new in changes.tasks:
            assert self.task is None
            self.task = OpenTask(
                id=new.id, kind=new.kind, state=TaskState.READY, fence=0, effect=new.effect,
                started=False, cancelling=False, deaths=0, failures=0, uncounted=0,
            )  # fmt: skip
        self._apply_waits(changes)
        for step in changes.steps:
            assert step.step not in self.records
            self.records[step.step] = msgspec.msgpack.decode(step.body, type=StepRecord)
        for event in changes.events:
            self.types.append(event.type)
            raw = decode_payload(event.payload).data
            self.data.append((event.type, msgspec.json.decode(raw, type=dict[str, object])))

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
