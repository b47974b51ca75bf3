"""Tasks of sessions and how they stand, for the session's own agent and for people."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from mainspring_api.domain.limits import TASK_BEGIN_S
from mainspring_api.domain.session_tasks import SessionTask
from mainspring_api.ports.control import Control
from mainspring_api.ports.log import HeadView, Log
from mainspring_api.ports.store import Store, Transaction
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import OrgId, Prefix, SessionId, from_wire, to_wire
from mainspring_schema.commands import Cancel
from mainspring_schema.events import OUTCOME_TYPES, StoredEvent, decode_payload
from mainspring_schema.limits import SESSION_TASKS_MAX, SUBAGENT_DEPTH_MAX, TASK_RESULT_CHARS_MAX
from mainspring_schema.listing import EventFilter
from mainspring_schema.messages import Message, TextPart
from mainspring_schema.session_tasks import SessionTaskState, SessionTaskView

_STATES: Final[dict[str, SessionTaskState]] = {
    "turn.completed": "succeeded",
    "turn.failed": "failed",
    "turn.cancelled": "canceled",
    "turn.sealed": "failed",
}
_DEAD: Final = ("turn.failed", "turn.sealed")
"""What may leave a dead letter."""
_SAID: Final = "output.message.completed"
PARENT_CANCELLED: Final = "the session that spawned it was cancelled"


class _Standing(Struct, frozen=True, kw_only=True):
    state: SessionTaskState
    result: str | None = None
    detail: str | None = None
    ended_ms: int = 0
    turn_id: UUID | None = None


async def of_session(tx: Transaction, session_id: SessionId) -> Sequence[SessionTask]:
    """Newest first."""
    return await tx.records(SessionTask, session_id, limit=SESSION_TASKS_MAX)


async def one_of(tx: Transaction, session_id: SessionId, id_: UUID) -> SessionTask:
    """Raises NotFound, also for another session's."""
    task = await tx.record(SessionTask, id_)
    if task is None or task.owner_id != session_id:
        msg = "the session has no such task"
        raise NotFound(msg)
    return task


async def views(log: Log, tasks: Sequence[SessionTask], *, now_ms: int) -> list[SessionTaskView]:
    """As they stand now, in the order given."""
    heads = await log.heads([task.child_id for task in tasks])
    found = await asyncio.gather(
        *(_found(log, task, heads.get(task.child_id), now_ms=now_ms) for task in tasks)
    )
    return list(found)


async def view(log: Log, task: SessionTask, *, now_ms: int) -> SessionTaskView:
    """One of them."""
    (found,) = await views(log, [task], now_ms=now_ms)
    return found


class Beginning(Struct, frozen=True, kw_only=True):
    """A child was told what to do. `turn_id` is the turn that took it."""

    turn_id: UUID | None


async def beginning(log: Log, task: SessionTask) -> Beginning | None:
    """None where the child was not told yet.

    The log knows it although the record may not: that is written last, and may be cut off.
    """
    # The first two that name the message: that it came, and the turn that it began.
    wanted = EventFilter(
        types=("input.message", "turn.started"),
        text=to_wire(Prefix.MESSAGE, task.message_id),
        after_seq=0,
        limit=2,
    )
    events = (await log.list(SessionId(task.child_id), OrgId(task.org_id), wanted)).events
    if not events:
        return None
    turns = [decode_payload(event.payload).context.turn_id for event in events]
    taken = next((turn for turn in turns if turn is not None), None)
    return Beginning(turn_id=None if taken is None else from_wire(Prefix.TURN, taken))


async def _found(
    log: Log, task: SessionTask, head: HeadView | None, *, now_ms: int
) -> SessionTaskView:
    if head is None:
        return _view(task, _unbegun(task, now_ms=now_ms))
    if head.closed:
        return _view(task, _Standing(state="canceled", detail="its session was deleted"))
    if task.turn_id is None:
        begun = await beginning(log, task)
        if begun is None:
            return _view(task, _unbegun(task, now_ms=now_ms))
        task = structs.replace(task, turn_id=begun.turn_id)
    return _view(task, await _standing(log, task, head))


def _unbegun(task: SessionTask, *, now_ms: int) -> _Standing:
    """It holds a place of its session only as long as the call that made it may come again."""
    if task.stopped:
        return _Standing(state="canceled", detail="it was cancelled before it began")
    if _may_begin(task, now_ms=now_ms):
        return _Standing(state="queued")
    return _Standing(state="failed", detail="it was never begun: the call that made it was cut off")


def _may_begin(task: SessionTask, *, now_ms: int) -> bool:
    return now_ms - task.created_ms < TASK_BEGIN_S * 1000


async def _standing(log: Log, task: SessionTask, head: HeadView) -> _Standing:
    wanted = EventFilter(
        types=(*sorted(OUTCOME_TYPES), _SAID), turn_id=task.turn_id, descending=True, limit=2
    )
    events = (await log.list(SessionId(task.child_id), OrgId(task.org_id), wanted)).events
    outcome = next((event for event in events if event.type in OUTCOME_TYPES), None)
    if outcome is None:
        waits = head.status == "waitingfortoolresults" or head.paused
        return _Standing(state="awaiting_input" if waits else "running", turn_id=task.turn_id)
    heir = await _heir(log, task) if outcome.type in _DEAD else None
    if heir is not None:
        return await _standing(log, structs.replace(task, turn_id=heir), head)
    said = next((event for event in events if event.type == _SAID), None)
    data = msgspec.json.decode(outcome.payload, type=_Payload).data
    return _Standing(
        state=_STATES[outcome.type],
        result=None if said is None else _text(said),
        detail=data.error or data.error_code or data.reason,
        ended_ms=outcome.ts_ms,
        turn_id=task.turn_id,
    )


async def _heir(log: Log, task: SessionTask) -> UUID | None:
    """The turn that takes up what the task's turn died of, where an operator wanted it."""
    dead = None if task.turn_id is None else to_wire(Prefix.TURN, task.turn_id)
    wanted = EventFilter(types=("turn.started",), text=dead, descending=True, limit=2)
    for event in (await log.list(SessionId(task.child_id), OrgId(task.org_id), wanted)).events:
        source = msgspec.json.decode(event.payload, type=_Payload).data.requeued_from
        heir = decode_payload(event.payload).context.turn_id
        if source is not None and source.turn_id == dead and heir is not None:
            return from_wire(Prefix.TURN, heir)
    return None


def _view(task: SessionTask, standing: _Standing) -> SessionTaskView:
    return SessionTaskView(
        id=to_wire(Prefix.TASK, task.id),
        name=task.name,
        instructions=task.instructions,
        child_session_id=to_wire(Prefix.SESSION, task.child_id),
        turn_id=standing.turn_id or task.turn_id,
        state=standing.state,
        result=standing.result,
        detail=standing.detail,
        created_ms=task.created_ms,
        updated_ms=max(task.updated_ms, standing.ended_ms),
        kind=task.work,
    )


async def cancel_below(
    store: Store, control: Control, org_id: OrgId, session_id: SessionId, *, now_ms: int
) -> None:
    """Cancels what the session's tasks do, and theirs; ended ones are left as they are.

    Generation by generation, so that what a child spawns meanwhile is met below it.
    """
    generation = [session_id]
    for _ in range(SUBAGENT_DEPTH_MAX):
        async with store.transaction(org_id) as tx:
            tasks = [task for one in generation for task in await of_session(tx, one)]
        if not tasks:
            return
        for task in tasks:
            await _cancel(store, control, task, PARENT_CANCELLED, now_ms=now_ms)
        generation = [SessionId(task.child_id) for task in tasks]


async def cancel(
    store: Store, control: Control, task: SessionTask, reason: str, *, now_ms: int
) -> SessionTask:
    """Cancels it and what its tasks do. Returns the record."""
    task = await _cancel(store, control, task, reason, now_ms=now_ms)
    org_id, child_id = OrgId(task.org_id), SessionId(task.child_id)
    await cancel_below(store, control, org_id, child_id, now_ms=now_ms)
    return task


async def _cancel(
    store: Store, control: Control, task: SessionTask, reason: str, *, now_ms: int
) -> SessionTask:
    """Of the child itself; nothing happens where it is at rest. Returns the record.

    One that was not begun is put down as cancelled. If it begins all the same, its log counts.
    """
    org_id = OrgId(task.org_id)
    with suppress(NotFound):
        await control.cancel(Cancel(org_id=org_id, session_id=task.child_id, reason=reason))
    if task.turn_id is not None or not _may_begin(task, now_ms=now_ms):
        return task
    async with store.transaction(org_id) as tx:
        known = await tx.record(SessionTask, task.id, lock=True)
        if known is None or known.turn_id is not None:
            return known or task
        stopped = structs.replace(known, stopped=True)
        await tx.put_record(stopped)
    return stopped


def task_id(wire: str) -> UUID:
    """Raises InvalidId."""
    return from_wire(Prefix.TASK, wire)


def _text(event: StoredEvent) -> str:
    said = msgspec.json.decode(event.payload, type=_Payload).data.message
    parts = () if said is None else said.content
    text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
    return text[:TASK_RESULT_CHARS_MAX]


class _Source(Struct):
    turn_id: str


class _Data(Struct):
    requeued_from: _Source | None = None
    message: Message | None = None
    error: str | None = None
    error_code: str | None = None
    reason: str | None = None


class _Payload(Struct):
    data: _Data
