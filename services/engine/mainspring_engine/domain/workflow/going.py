"""A user's workflow while it is decided about: plan, decoded state, what all phases share."""

from uuid import UUID

import msgspec

from mainspring_engine.domain import texts
from mainspring_engine.domain.changes import CloseTask, NewTask, RecordStep, Timer
from mainspring_engine.domain.materials import Materials, NotYet
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import (
    Closing,
    Effect,
    OpenTask,
    Outcome,
    TaskKind,
    TaskState,
    Workflow,
)
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.state import Phase, WorkflowState
from mainspring_kernel.ids import Ids
from mainspring_kernel.limits import WORKFLOW_VALUE_INLINE_BYTES_MAX
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.codec import pack
from mainspring_schema.events import Context
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import WorkflowTask
from mainspring_schema.workflows import INPUT_STEP, Flaw, StepRecord, prefix_of

OUTCOME_STEP = "workflow"
"""The place of a workflow's own result among the step results."""
PRIORITY = 0
GO = "workflow:"
"""What the capability of a type begins with."""
PROBLEM_BYTES_MAX = 400
"""Of a problem or a reason in the state; the event has all of it."""


def cut(text: str) -> str:
    """What of it fits the state."""
    return texts.cut(text, PROBLEM_BYTES_MAX)


def route_of(queue: str, type_: str, build: str = "", keys: tuple[str, ...] = ()) -> Route:
    """A type is a capability: what nobody offers waits, and is no failure."""
    return Route(queue=queue, capability=f"{GO}{type_}", build=build, keys=keys)


def is_go(route: Route) -> bool:
    """Whether its tasks are goes at workflows."""
    return route.capability.startswith(GO)


class Going:
    """Mutable for one decision round, like the plan it adds to. `save` writes the state back."""

    def __init__(self, plan: Plan, workflow: Workflow, materials: Materials) -> None:
        self.plan = plan
        self.workflow = workflow
        self.materials = materials
        self.ids: Ids = materials.ids
        self.state: WorkflowState = states.decode(workflow)
        self._trace = TraceContext.parse(workflow.traceparent)

    def emit(self, type_: str, data: object) -> int:
        trace = self._trace
        context = Context(
            trace_id=None if trace is None else trace.trace_hex,
            span_id=None if trace is None else trace.span_hex,
        )
        return self.plan.emit(type_, context, data, turn_id=self.workflow.id)

    def update(self, **fields: object) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)

    def save(self, outcome: Outcome = Outcome.RUNNING) -> None:
        self.workflow = msgspec.structs.replace(
            self.workflow, state=states.encode(self.state), outcome=outcome
        )
        self.plan.put_workflow(self.workflow)

    # ── tasks ───────────────────────────────────────────────────────────────────────────────────

    def go(self) -> None:
        """A task for the next go: any worker that knows the type may take it."""
        task_id = self.ids.uuid7()
        payload = WorkflowTask(
            workflow_id=self.workflow.id,
            workflow_type=self.state.type,
            key=self.state.key,
            generation=self.state.generation,
            go=self.state.goes + 1,
            rested=self.state.rested,
        )
        self.plan.tasks.append(
            NewTask(
                id=task_id,
                workflow_id=self.workflow.id,
                kind=TaskKind.WORKFLOW,
                route=route_of(
                    self.state.queue, self.state.type, self.state.build, self.state.keys
                ),
                priority=PRIORITY,
                effect=Effect.IDEMPOTENT,
                step=OUTCOME_STEP,
                payload=pack(payload),
            )
        )
        self.update(
            phase=Phase.RUNNING, task_id=task_id, goes=self.state.goes + 1, problem="", rested=0
        )

    def wake(self) -> None:
        """Something came to pass. An attempt at work is told of it; otherwise one begins."""
        if self.state.phase is Phase.WAITING:
            self.go()

    def cancel_unheld(self, task: OpenTask) -> None:
        self.plan.close_for_good(
            CloseTask(
                task_id=task.id,
                fence=task.fence,
                expected=task.state,
                closing=Closing.CANCELLED,
            )
        )
        self.update(task_id=None)

    def close_held(
        self,
        task_id: UUID,
        fence: int,
        closing: Closing,
        *,
        result_hash: bytes,
        error_code: str = "",
    ) -> None:
        """The attempt brought its result, and its task ends with it."""
        self.plan.closes.append(
            CloseTask(
                task_id=task_id,
                fence=fence,
                expected=TaskState.LEASED,
                closing=closing,
                result_hash=result_hash,
                error_code=error_code,
            )
        )
        self.update(task_id=None)

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def open_tasks(self, *, but: UUID | None = None) -> tuple[OpenTask, ...]:
        """Those it waits for, before anything was added. Raises NotYet, TasksMissing."""
        wanted = {task_id for task_id in self.state.tasks() if task_id != but}
        if not wanted:
            return ()
        if any(task.id in wanted for task in self.plan.tasks):
            raise NotYet
        tasks = self.materials.open_tasks(self.workflow.id)
        return tuple(task for task in tasks if task.id in wanted)

    def record(self, step: StepRecord, *, task_id: UUID, fence: int) -> None:
        """Keeps a step's result and tells it."""
        if self.state.idle:
            self.update(idle=0)
            self.save()
        self._keep(step, task_id, fence)
        self.emit("workflow.reported" if step.kind == "report" else "step.completed", _told(step))

    def record_input(self, raw: bytes) -> None:
        """What the code of this generation begins with."""
        place = prefix_of(self.state.generation) + INPUT_STEP
        given = StepRecord(step=place, name=self.state.type, kind="input", result=raw)
        self._keep(given, self.workflow.id, 0)

    def carry(self, step: StepRecord) -> None:
        """As `record`, of what was recorded before: the workflow has not moved by it."""
        self._keep(step, self.workflow.id, 0)
        self.emit("step.completed", _told(step))

    def _keep(self, step: StepRecord, task_id: UUID, fence: int) -> None:
        self.plan.steps.append(
            RecordStep(
                workflow_id=self.workflow.id,
                step=step.step,
                task_id=task_id,
                fence=fence,
                input_hash=step.input_hash,
                body=pack(step),
            )
        )

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    def timer(self, kind: str, delay_ms: int) -> UUID:
        timer_id = self.ids.uuid7()
        self.plan.timers.append(
            Timer(id=timer_id, workflow_id=self.workflow.id, kind=kind, delay_ms=delay_ms)
        )
        return timer_id

    def drop_timer(self, timer_id: UUID | None) -> None:
        if timer_id is None:
            return
        kept = [timer for timer in self.plan.timers if timer.id != timer_id]
        if len(kept) < len(self.plan.timers):
            # Armed by this very flight: it is never written.
            self.plan.timers[:] = kept
        else:
            self.plan.dropped_timers.append(timer_id)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────

    def rest(self, outcome: Outcome) -> None:
        """Nothing of it is left but its history. The outcome's event stands already."""
        self.drop_timer(self.state.timer_id)
        self.drop_timer(self.state.start_timer)
        self.drop_timer(self.state.close_timer)
        self.plan.set_status(SessionStatus.IDLE)
        self.plan.set_active_turn(None)
        self.update(
            task_id=None,
            timer_id=None,
            start_timer=None,
            close_timer=None,
            waits=0,
            ended_ms=self.plan.now_ms,
        )
        self.save(outcome)


def _told(step: StepRecord) -> dict[str, object]:
    told: dict[str, object] = {
        "step": step.step,
        "name": step.name,
        "kind": step.kind,
        "input_hash": step.input_hash.hex(),
        "attempts": step.attempts,
        "duration_ms": step.duration_ms,
    }
    # For those who replay a history from its events.
    told |= {"nth": step.nth} if step.nth else {}
    told |= {"after": step.after} if step.after else {}
    if step.flaw is None:
        return told | value("result", step.result)
    return told | {"error": flaw_view(step.flaw)}


def value(name: str, raw: bytes) -> dict[str, object]:
    """A user's JSON as it came; a large one stands with its step alone."""
    if len(raw) > WORKFLOW_VALUE_INLINE_BYTES_MAX:
        return {f"{name}_bytes": len(raw)}
    return {name: msgspec.Raw(raw)}


def flaw_view(flaw: Flaw) -> dict[str, object]:
    return {"code": flaw.code, "message": flaw.message, "type": flaw.type}
