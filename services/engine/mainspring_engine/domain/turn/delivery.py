"""How a message enters its session, by its mode, and what is done to it while it waits."""

import hashlib
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import Accept, Config
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import NOBODY, InboxRow
from mainspring_engine.domain.turn import ending, facts, links, machine, opening
from mainspring_engine.domain.turn.state import Phase
from mainspring_engine.domain.turn.turn import Turn
from mainspring_kernel.control_errors import MessageTaken, SessionBusy
from mainspring_kernel.errors import IdempotencyMismatch, TooManyRequests
from mainspring_kernel.limits import INBOX_ROWS_MAX
from mainspring_kernel.times import rfc3339
from mainspring_kernel.tracing import TraceContext, new_trace
from mainspring_schema import commands
from mainspring_schema.delivery import (
    DeliveryOrder,
    EditMessage,
    MessageEdited,
    MessagesReordered,
    MessageWithdrawn,
    ReorderMessages,
)
from mainspring_schema.events import Context
from mainspring_schema.frames import Verdict
from mainspring_schema.messages import Message, TextPart

WAKING: Final = {"source": "session_task"}
"""The metadata of a message that no person wrote."""
_STOPPING = {"interrupt": ending.INTERRUPTED, "rollback": ending.ROLLED_BACK}


def submit(plan: Plan, command: commands.Submit, materials: Materials) -> commands.Receipt:
    """Raises IdempotencyMismatch, TooManyRequests, SessionBusy."""
    twin = _twin(plan, command)
    if twin is not None:
        return twin
    if len(plan.inbox) >= INBOX_ROWS_MAX:
        detail = f"{INBOX_ROWS_MAX} messages wait in this session"
        raise TooManyRequests(detail)
    met = _meet(plan, command, materials)
    running = plan.running
    message, seq = accept(plan, command, materials)
    if running is None:
        trace = TraceContext.parse(command.traceparent)
        trace = trace or new_trace(materials.draws, materials.trace_ratio)
        turn = opening.open_turn(plan, message, materials, trace=trace)
        # The sender is told which turn takes the message, which was not known before.
        plan.accepts[-1] = msgspec.structs.replace(plan.accepts[-1], turn_id=turn.workflow.id)
        if command.spawned_by is not None:
            links.tell_begun(turn, command.spawned_by)
            turn.save()
    else:
        turn = Turn(plan, running, materials)
        if command.mode in ("queue", "collect"):
            turn.save()
        else:
            links.tell_begun(turn, command.spawned_by)
            machine.steer(turn)
    return commands.Receipt(
        message_id=command.message_id,
        turn_id=turn.workflow.id,
        seq=seq,
        steered=met and command.mode == "steer",
        created_ms=plan.now_ms,
        traceparent=turn.workflow.traceparent,
        message=message,
    )


def _meet(plan: Plan, command: commands.Submit, materials: Materials) -> bool:
    """Whether a turn was at work; what its mode asks of it is done."""
    running = plan.running
    if running is None:
        return False
    if command.mode == "reject":
        raise SessionBusy
    reason = _STOPPING.get(command.mode)
    turn = Turn(plan, running, materials)
    if reason is not None and turn.state.phase is not Phase.CANCELLING:
        ending.cancel(turn, reason, ending.open_tasks(turn))
    return True


def accept(plan: Plan, command: commands.Submit, materials: Materials) -> tuple[Message, int]:
    """Appends the message and puts it into the inbox; returns it as committed, with its seq."""
    if command.config is not None:
        plan.configs.append(
            Config(hash=command.config_hash, org_id=command.org_id, body=command.config)
        )
    materials.agent(command.config_hash)
    running = plan.running
    message = msgspec.structs.replace(command.message, created_at=rfc3339(plan.now_ms))
    turn_id = None if running is None else running.id
    context = Context(
        turn_id=None if turn_id is None else facts.turn_id(turn_id), input_message_id=message.id
    )
    said = {"message": message}
    seq = plan.emit("input.message", context, said, turn_id=turn_id, tags=command.tags)
    plan.inbox.append(
        InboxRow(
            message_id=command.message_id,
            seq=seq,
            config_hash=command.config_hash,
            controls=message.controls,
            mode=command.mode,
        )
    )
    plan.accepts.append(
        Accept(
            message_id=command.message_id,
            seq=seq,
            ts_ms=plan.now_ms,
            config_hash=command.config_hash,
            turn_id=turn_id or command.message_id,
            mode=command.mode,
            controls=message.controls,
            idempotency_key=command.idempotency_key,
            body_hash=command.body_hash,
        )
    )
    return message, seq


def wake(plan: Plan, text: str, key: str, materials: Materials) -> None:
    """Says something to a session on behalf of the house: with its next turn, or in one of its own.

    It never steers: that would call off what a turn waits for. What tells of itself is bounded by
    what the session may have begun, so it may come on top of a full inbox. `key` is what it is
    said once for.
    """
    newest = plan.workflow
    if newest is None:
        return
    message_id = materials.ids.uuid4()
    said = Message(
        id=facts.message_id(message_id),
        role="user",
        content=(TextPart(text=text),),
        created_at="",
        metadata=dict(WAKING),
    )
    command = commands.Submit(
        org_id=plan.head.org_id,
        session_id=plan.head.session_id,
        message_id=message_id,
        message=said,
        mode="collect",
        config_hash=newest.config_hash,
        idempotency_key=commands.own_key(key),
        body_hash=hashlib.sha256(text.encode()).digest(),
    )
    accept(plan, command, materials)


def _twin(plan: Plan, command: commands.Submit) -> commands.Receipt | None:
    """The answer to a message that came twice in one flight. Earlier ones the store knows."""
    key = command.idempotency_key
    for accept in plan.accepts:
        if accept.message_id == command.message_id:
            break
        if key is not None and accept.idempotency_key == key:
            if accept.body_hash != command.body_hash:
                raise IdempotencyMismatch
            break
    else:
        return None
    return commands.Receipt(
        message_id=accept.message_id,
        turn_id=accept.turn_id,
        seq=accept.seq,
        steered=False,
        created_ms=accept.ts_ms,
        duplicate=True,
    )


# ── while it waits ──────────────────────────────────────────────────────────────────────────────


def handle(plan: Plan, order: DeliveryOrder, materials: Materials) -> Verdict:
    """Raises MessageTaken where a message does not wait, or has begun the turn that is at work."""
    if isinstance(order, ReorderMessages):
        _reorder(plan, order, materials)
        return Verdict.COMMITTED
    row = _waiting(plan, order.message_id, materials)
    if isinstance(order, EditMessage):
        edited = MessageEdited(message_id=facts.message_id(row.message_id), content=order.content)
        _tell(plan, "message.edited", edited, materials)
        return Verdict.COMMITTED
    _tell(
        plan,
        "message.withdrawn",
        MessageWithdrawn(message_id=facts.message_id(row.message_id)),
        materials,
    )
    plan.consume((row,), NOBODY)
    return Verdict.COMMITTED


def _reorder(plan: Plan, order: ReorderMessages, materials: Materials) -> None:
    """The named ones share out the places that they had, in the order in which they are named."""
    named = iter([_waiting(plan, id_, materials) for id_ in order.message_ids])
    wanted = set(order.message_ids)
    rows = [next(named) if row.message_id in wanted else row for row in plan.inbox]
    if rows != plan.inbox:
        plan.arrange(rows)
        told = MessagesReordered(message_ids=tuple(facts.message_id(r.message_id) for r in rows))
        _tell(plan, "message.reordered", told, materials)


def _waiting(plan: Plan, message_id: UUID, materials: Materials) -> InboxRow:
    running = plan.running
    for row in plan.inbox:
        if row.message_id != message_id:
            continue
        # A turn that a budget holds back has taken nothing yet, and stands for its message already.
        turn = None if running is None else Turn(plan, running, materials)
        if turn is not None and turn.state.input_message_id == message_id:
            break
        return row
    raise MessageTaken


def _tell(plan: Plan, type_: str, data: object, materials: Materials) -> None:
    running = plan.running
    if running is None:
        plan.emit(type_, Context(), data, turn_id=None)
        return
    turn = Turn(plan, running, materials)
    turn.emit(type_, data)
    # What waits changes under the lock of the workflow, and with its revision.
    turn.save()
