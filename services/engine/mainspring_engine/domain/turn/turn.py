"""A turn while it is decided about: its plan, its decoded state, and what all phases share."""

from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import Anchor, CloseTask, NewTask, StepResult, Timer
from mainspring_engine.domain.loss import closing_of
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import (
    Closing,
    Effect,
    InboxRow,
    OpenTask,
    Outcome,
    TaskKind,
    TaskState,
    Workflow,
)
from mainspring_engine.domain.turn import facts, spending, waiting
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.agent import TurnAgent
from mainspring_engine.domain.turn.calls import abandoned
from mainspring_engine.domain.turn.spending import Bounds
from mainspring_engine.domain.turn.state import Appeal, OpenCall, Phase, TurnState
from mainspring_kernel.ids import Ids, Prefix, to_wire
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.budgets import BudgetView
from mainspring_schema.codec import pack
from mainspring_schema.events import Context
from mainspring_schema.grants import SessionStatus
from mainspring_schema.messages import Controls
from mainspring_schema.tasks import (
    NamedCall,
    ReasonResult,
    ReasonTask,
    ToolCall,
    ToolResult,
)

PRIORITY_TURN = 0
"""Turns have one priority until a message may ask for another."""


_REASON: Final = msgspec.msgpack.Decoder(ReasonResult)


class Delivery(NamedTuple):
    """A result that a worker brought, with what identifies it."""

    task_id: UUID
    fence: int
    body: bytes
    hash: bytes


class Turn:
    """Mutable for one decision round, like the plan it adds to. `save` writes the state back."""

    def __init__(self, plan: Plan, workflow: Workflow, materials: Materials) -> None:
        self.plan = plan
        self.workflow = workflow
        self.materials = materials
        self.ids: Ids = materials.ids
        self.state: TurnState = states.decode(workflow)
        self._trace = TraceContext.parse(workflow.traceparent)
        self._context: Context | None = None
        if not all(call.name for call in self.state.calls):
            self._name_calls()

    @property
    def agent(self) -> TurnAgent:
        """The folded agent of the present configuration. Raises AgentMissing."""
        return self.materials.agent(self.workflow.config_hash)

    # ── events ──────────────────────────────────────────────────────────────────────────────────

    def context(self, task_id: UUID | None = None) -> Context:
        if self._context is None:
            trace = self._trace
            self._context = Context(
                turn_id=facts.turn_id(self.workflow.id),
                input_message_id=facts.message_id(self.state.input_message_id),
                trace_id=None if trace is None else trace.trace_hex,
                span_id=None if trace is None else trace.span_hex,
            )
        if task_id is None:
            return self._context
        return msgspec.structs.replace(self._context, exec_id=to_wire(Prefix.EXEC, task_id))

    def emit(self, type_: str, data: object, task_id: UUID | None = None) -> int:
        return self.plan.emit(type_, self.context(task_id), data, turn_id=self.workflow.id)

    def update(self, **fields: object) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)

    def save(self, outcome: Outcome = Outcome.RUNNING) -> None:
        self.workflow = msgspec.structs.replace(
            self.workflow, state=states.encode(self.state), outcome=outcome
        )
        self.plan.put_workflow(self.workflow)

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def next_model_call(self, controls: Controls | None = None) -> None:
        """Consumes what waits in the inbox and asks the model.

        Needs every call to have its result. `controls` count where nothing waits. Where a budget
        lets no call begin the turn rests instead, and what waits goes on waiting.
        """
        bounds = self._bounds()
        wanted = bounds.of_model(self.state)
        short = bounds.short(wanted, self.plan.spent)
        if short is not None:
            self.pause(short)
            return
        taken = self._take_inputs()
        iteration = self.state.iteration + 1
        message, task_id = self.ids.uuid4(), self.ids.uuid7()
        through = self._announce_model_call(iteration, message, task_id, taken)
        payload = ReasonTask(
            turn_id=self.workflow.id,
            iteration=iteration,
            message_id=message,
            through_seq=through,
            config_hash=self.workflow.config_hash,
            controls=taken[-1].controls if taken else controls,
        )
        self._hold(bounds, task_id, wanted)
        route, step = Route(model=self.agent.model_route), f"reason:{iteration}"
        self.add_task(
            task_id, TaskKind.REASON, route, Effect.PURE, step=step, payload=pack(payload)
        )
        self.plan.set_status(SessionStatus.ACTIVE)
        self.update(
            phase=Phase.REASON,
            iteration=iteration,
            message_id=message,
            reason_task=task_id,
            calls=(),
            call_count=0,
            call_errors=0,
            through_seq=through,
        )

    @property
    def is_steered(self) -> bool:
        """Whether messages wait that this turn must not end without."""
        return bool(waiting.steering(self.plan.inbox))

    @property
    def waiting_inputs(self) -> tuple[InboxRow, ...]:
        """The waiting messages that belong to this turn rather than to the next."""
        if self.state.iteration == 0:
            return waiting.inputs(self.plan.inbox, self.state.input_message_id)
        return waiting.steering(self.plan.inbox)

    def _take_inputs(self) -> tuple[InboxRow, ...]:
        taken = self.waiting_inputs
        self.plan.consume(taken, self.workflow.id)
        if taken:
            # A message folded with another configuration brings it along: the newest one counts.
            self.workflow = msgspec.structs.replace(
                self.workflow, config_hash=taken[-1].config_hash
            )
        return taken

    # ── budgets ─────────────────────────────────────────────────────────────────────────────────

    def _bounds(self) -> Bounds:
        org_id = self.plan.head.org_id
        if not self.materials.budgeted(org_id):
            return Bounds()
        self.plan.budgeted = True
        return self.materials.bounds(self.agent, self.plan.head.session_id, org_id)

    @property
    def short(self) -> BudgetView | None:
        """The budget without room for the next call. Raises BudgetsMissing, StepMissing."""
        bounds = self._bounds()
        due = next((call for call in self.state.calls if call.is_due), None)
        wanted = bounds.of_model(self.state) if due is None else spending.of_tool(self.asked(due))
        return bounds.short(wanted, self.plan.spent)

    def holds(self, task_id: UUID, wanted: spending.Wanted) -> bool:
        """Holds what a call may use; False where there is no room. Raises BudgetsMissing."""
        bounds = self._bounds() if wanted else Bounds()
        if not bounds.budgets:
            return True
        if bounds.short(wanted, self.plan.spent) is not None:
            return False
        self._hold(bounds, task_id, wanted)
        return True

    def await_renewal(self, short: BudgetView) -> None:
        """Looks again by itself, where time may help."""
        delay_ms = spending.looks_again_ms(short, self.plan.now_ms)
        if delay_ms is not None:
            self.arm(spending.TIMER_RENEWAL, delay_ms / 1000)

    def pause(self, short: BudgetView) -> None:
        """The turn rests before its next call."""
        why = "the budget is paused" if short.status == "paused" else "the budget is used up"
        kind = "budget.paused" if short.status == "paused" else "budget.exhausted"
        budget_id = to_wire(Prefix.BUDGET, short.id)
        self.emit(kind, spending.told(short, budget_id, why, self.plan.now_ms))
        self.plan.set_status(SessionStatus.IDLE)
        self.plan.set_paused(paused=True)
        self.update(phase=Phase.PAUSED, reason_task=None)
        self.await_renewal(short)

    def _hold(self, bounds: Bounds, task_id: UUID, wanted: spending.Wanted) -> None:
        self.plan.holds.extend(holds := spending.holds(bounds, task_id, wanted, self.plan.spent))
        warned = {hold.budget_id for hold in holds if hold.warns}
        for budget in bounds.budgets:
            if budget.id in warned:
                budget_id = to_wire(Prefix.BUDGET, budget.id)
                message = "the budget is nearly used up"
                data = spending.told(budget, budget_id, message, self.plan.now_ms)
                self.emit("budget.warning", data)

    def _announce_model_call(
        self, iteration: int, message: UUID, task_id: UUID, taken: tuple[InboxRow, ...]
    ) -> int:
        """The events before the call; returns the position up to which its prompt is folded."""
        started = facts.reason_started(message, iteration, self.agent, taken)
        self.emit("reason.started", started, task_id)
        through = self.emit(
            "output.message.started",
            facts.message_started(self.workflow.id, message, iteration, self.agent),
            task_id,
        )
        self.plan.anchors.append(Anchor(anchor=facts.message_id(message), attempt=1))
        return through

    def add_task(
        self,
        task_id: UUID,
        kind: TaskKind,
        route: Route,
        effect: Effect,
        *,
        step: str,
        payload: bytes,
    ) -> None:
        self.plan.tasks.append(
            NewTask(
                id=task_id,
                workflow_id=self.workflow.id,
                kind=kind,
                route=route,
                priority=PRIORITY_TURN,
                effect=effect,
                step=step,
                payload=payload,
            )
        )

    def call_id(self, index: int) -> str:
        return NamedCall(turn_id=self.workflow.id, iteration=self.state.iteration, index=index).id()

    def put_call(self, call: OpenCall) -> None:
        """Changes an open call: the one with its index."""
        calls = self.state.calls
        self.update(calls=tuple(call if one.index == call.index else one for one in calls))

    def finish_call(self, call: OpenCall, result: ToolResult) -> None:
        """Gives an open call its one result; where it waits for a person, nobody is asked now."""
        if call.appeal:
            self._withdraw(call)
        self.emit(
            "tool.completed",
            facts.tool_completed(self.call_id(call.index), call.name, result),
            call.task_id,
        )
        # It is there only where the call showed what it wrote.
        self.plan.anchors.append(Anchor(anchor=self.call_id(call.index), attempt=None))
        failed = result.status != "success"
        self.update(
            calls=states.without(self.state.calls, call.index),
            call_errors=self.state.call_errors + failed,
        )

    def _withdraw(self, call: OpenCall) -> None:
        turn, call_id = self.workflow.id, self.call_id(call.index)
        if call.appeal is Appeal.QUESTION:
            gone = facts.question_unanswered(turn, call_id, call.name, "cancelled", "nobody")
            self.emit("question.answered", gone)
        else:
            resolved = facts.approval_resolved(turn, call_id, call.name, "cancelled", None)
            self.emit("approval.resolved", resolved)

    def finish_open_calls(self, tasks: tuple[OpenTask, ...], *, why: str) -> None:
        """Every call that is still open gets its result.

        `unknown` where an effect may have happened.
        """
        by_id = {task.id: task for task in tasks}
        for call in self.state.calls:
            task = by_id.get(call.task_id) if call.task_id is not None else None
            self.finish_call(call, abandoned(call, task, why))

    # ── rows ────────────────────────────────────────────────────────────────────────────────────

    def close_attempt(
        self, task_id: UUID, fence: int, closing: Closing, *, result_hash: bytes = b""
    ) -> None:
        self.plan.closes.append(
            CloseTask(
                task_id=task_id,
                fence=fence,
                expected=TaskState.LEASED,
                closing=closing,
                result_hash=result_hash,
            )
        )

    def close_tasks(self, tasks: tuple[OpenTask, ...]) -> None:
        """Ends tasks whatever they are doing; a holder learns it from its next frame."""
        for task in tasks:
            unknown = task.effect.needs_start and task.started
            self.plan.close_for_good(
                CloseTask(
                    task_id=task.id,
                    fence=task.fence,
                    expected=task.state,
                    closing=Closing.UNKNOWN if unknown else Closing.CANCELLED,
                )
            )

    def ask_probe(self, task: OpenTask, *, acknowledged: bool) -> None:
        """The attempt that started the effect, or asked about it, is lost; the next one asks."""
        self.plan.closes.append(
            CloseTask(
                task_id=task.id,
                fence=task.fence,
                expected=task.state,
                closing=closing_of(acknowledged=acknowledged),
                delay_ms=0,
                counts_death=acknowledged,
            )
        )

    def keep_result(self, step: str, delivery: Delivery, closing: Closing = Closing.RESULT) -> None:
        """Closes the attempt with its result."""
        self.close_attempt(delivery.task_id, delivery.fence, closing, result_hash=delivery.hash)
        self.plan.results.append(
            StepResult(
                workflow_id=self.workflow.id,
                step=step,
                task_id=delivery.task_id,
                fence=delivery.fence,
                body=delivery.body,
                hash=delivery.hash,
            )
        )

    def model_result(self) -> ReasonResult:
        """The kept answer of this iteration's model call. Raises StepMissing."""
        step = f"reason:{self.state.iteration}"
        for kept in self.plan.results:
            if kept.step == step and kept.workflow_id == self.workflow.id:
                return _REASON.decode(kept.body)
        return _REASON.decode(self.materials.step(self.workflow.id, step))

    def _name_calls(self) -> None:
        """Of so many that their names were left out of the state. Raises StepMissing."""
        asked = self.model_result().tool_calls
        named = (msgspec.structs.replace(c, name=asked[c.index].name) for c in self.state.calls)
        self.update(calls=tuple(named))

    def asked(self, call: OpenCall) -> ToolCall:
        """The call as the model asked for it. Raises StepMissing."""
        return self.model_result().tool_calls[call.index]

    def arm(self, kind: str, delay_s: float) -> None:
        timer = Timer(
            id=self.ids.uuid7(),
            workflow_id=self.workflow.id,
            kind=kind,
            delay_ms=round(delay_s * 1000),
        )
        self.disarm()
        self.plan.timers.append(timer)
        self.update(timer_id=timer.id)

    def disarm(self) -> None:
        timer_id = self.state.timer_id
        if timer_id is None:
            return
        armed = [timer for timer in self.plan.timers if timer.id != timer_id]
        if len(armed) < len(self.plan.timers):
            # Armed by this very plan: it never becomes a row.
            self.plan.timers[:] = armed
        else:
            self.plan.dropped_timers.append(timer_id)
        self.update(timer_id=None)
