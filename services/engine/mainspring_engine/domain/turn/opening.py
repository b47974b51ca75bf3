"""How a turn begins: with what waits in the inbox, or with what a dead turn was asked."""

from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.intents import Requeued
from mainspring_engine.domain.limits import STOPPED_TURNS_KEPT
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Outcome, Workflow
from mainspring_engine.domain.turn import facts, links, waiting
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.state import Phase, TurnState
from mainspring_engine.domain.turn.turn import Turn
from mainspring_kernel.tracing import TraceContext, span_id_for
from mainspring_schema.lineage import SpawnedBy
from mainspring_schema.messages import Json, Message


class Beginning(Struct, frozen=True, kw_only=True):
    """`first_seq`: where the group of events starts that a late reader of this turn wants."""

    workflow_id: UUID
    input_message_id: UUID
    config_hash: bytes
    first_seq: int


def open_turn(
    plan: Plan, message: Message | None, materials: Materials, *, trace: TraceContext
) -> Turn:
    """Starts the next turn with what waits in the inbox; `message` is that where it is at hand."""
    rows = waiting.opening(plan.inbox)
    first = rows[0]
    beginning = Beginning(
        workflow_id=materials.ids.uuid7(),
        input_message_id=first.message_id,
        config_hash=rows[-1].config_hash,
        first_seq=first.seq,
    )
    above = None if message is not None else _above(plan)
    turn = _begin(plan, beginning, materials, trace)
    links.tell_begun(turn, above)
    if message is not None and message.id != facts.message_id(first.message_id):
        message = None
    started = facts.turn_started(turn.workflow.id, message, first.message_id, turn.agent)
    turn.emit("turn.started", started)
    turn.next_model_call()
    turn.save()
    return turn


def _above(plan: Plan) -> SpawnedBy | None:
    """The parent of the turn that ended last: what that one left is its parent's affair too."""
    before = plan.workflow
    parent = None if before is None else states.decode(before).parent
    return None if parent is None else SpawnedBy(session_id=parent)


def take_up(plan: Plan, order: Requeued, materials: Materials, *, trace: TraceContext) -> Turn:
    """Starts a turn in the place of one that died of a dead letter, which stays as it is.

    It has no input of its own: what the dead turn took in stands in the conversation, and the model
    answers that.
    """
    beginning = Beginning(
        workflow_id=order.workflow_id,
        input_message_id=order.input_message_id,
        config_hash=order.config_hash,
        first_seq=plan.head.last_seq + 1,
    )
    above = _above(plan)
    turn = _begin(plan, beginning, materials, trace)
    links.tell_begun(turn, above)
    started: Json = {
        **facts.turn_started(turn.workflow.id, None, order.input_message_id, turn.agent),
        "requeued_from": {
            "turn_id": facts.turn_id(order.dead_workflow_id),
            "task_id": facts.task_id(order.task_id),
        },
    }
    turn.emit("turn.started", started)
    turn.next_model_call(order.controls)
    turn.save()
    return turn


def _begin(plan: Plan, beginning: Beginning, materials: Materials, trace: TraceContext) -> Turn:
    before = plan.workflow
    turn = Turn(plan, _new_workflow(plan, beginning, trace), materials)
    if before is not None:
        _go_on_from(turn, before)
    plan.set_active_turn(beginning.workflow_id, first_seq=beginning.first_seq)
    activated = {
        "turn_id": facts.turn_id(beginning.workflow_id),
        "input_message_id": facts.message_id(beginning.input_message_id),
    }
    turn.emit("session.activated", activated)
    return turn


def _go_on_from(turn: Turn, before: Workflow) -> None:
    """What its turns have used so far, what of it is not charged yet, and which were stopped."""
    state = states.decode(before)
    stopped = state.stopped
    if before.outcome is Outcome.CANCELLED:
        stopped = (before.id, *stopped)[:STOPPED_TURNS_KEPT]
    turn.update(earlier=state.earlier.plus(state.usage), owed=state.owed, stopped=stopped)


def _new_workflow(plan: Plan, beginning: Beginning, trace: TraceContext) -> Workflow:
    blank = TurnState(
        phase=Phase.REASON,
        iteration=0,
        input_message_id=beginning.input_message_id,
        message_id=beginning.input_message_id,
        reason_task=None,
    )
    return Workflow(
        id=beginning.workflow_id,
        session_id=plan.head.session_id,
        org_id=plan.head.org_id,
        ordinal=1 if plan.workflow is None else plan.workflow.ordinal + 1,
        rev=0,
        outcome=Outcome.RUNNING,
        state=states.encode(blank),
        config_hash=beginning.config_hash,
        # The root span's id follows from the turn's, so that any engine can record it at the end.
        traceparent=trace.under(span_id_for(beginning.workflow_id, 0)).format(),
        started_ms=plan.now_ms,
    )
