"""What an agent spawns, and what it asks of it, in the name of the task that its worker holds.

The record is committed first and names the child and its message. So a call that is made again,
after a crash at whatever point, makes the same child and brings the same message, which the engine
takes once.
"""

import hashlib
from contextlib import AbstractAsyncContextManager, suppress
from typing import assert_never
from uuid import UUID

import msgspec

from mainspring_api.domain.resources import Session
from mainspring_api.domain.session_tasks import SessionTask, child_tier, instructions_of
from mainspring_api.ports.store import Holding, Transaction
from mainspring_api.usecases import messages, session_tasks, sessions
from mainspring_api.usecases.keeper import Keeper
from mainspring_api.usecases.messages import MessageDraft
from mainspring_kernel.errors import Conflict, MainspringError, NotFound, ValidationFailed
from mainspring_kernel.ids import (
    MessageId,
    OrgId,
    Prefix,
    SessionId,
    TaskId,
    WorkspaceId,
    to_wire,
)
from mainspring_schema.commands import own_key
from mainspring_schema.frames import Held
from mainspring_schema.holdings import TaskOrder, TaskQuestion
from mainspring_schema.limits import SESSION_TASKS_MAX, SUBAGENT_DEPTH_MAX
from mainspring_schema.lineage import BY_PARENT, SpawnedBy
from mainspring_schema.messages import TextPart
from mainspring_schema.session_tasks import (
    OVER,
    CancelTask,
    GetSessionTask,
    ListSessionTasks,
    MessageTask,
    SessionTasks,
    SessionTaskView,
    SpawnAgent,
    StartCall,
)


async def answer(keeper: Keeper, held: Held, question: TaskQuestion, *, now_ms: int) -> object:
    """Raises LeaseLost, NotFound, InvalidId, Unavailable."""
    match question:
        case ListSessionTasks():
            async with _holding(keeper, held) as holding:
                tasks = await session_tasks.of_session(holding.tx, holding.session_id)
            found = await session_tasks.views(keeper.path.log, tasks, now_ms=now_ms)
            return SessionTasks(tasks=tuple(found))
        case GetSessionTask():
            task = await _task(keeper, held, question.id)
            return await session_tasks.view(keeper.path.log, task, now_ms=now_ms)
        case _:
            assert_never(question)


async def change(
    keeper: Keeper, held: Held, order: TaskOrder, *, key: str, now_ms: int
) -> SessionTaskView:
    """Raises LeaseLost, NotFound, Conflict, ValidationFailed, InvalidId, Unavailable.

    And what refuses the child's message, such as TooManyRequests: then nothing was spawned.
    """
    match order:
        case SpawnAgent() | StartCall():
            task = await _spawned(keeper, held, order, key=key, now_ms=now_ms)
        case MessageTask():
            known = await _task(keeper, held, order.id)
            if known.work == "background_tool":
                msg = "a background call takes no messages"
                raise ValidationFailed(msg)
            by = SpawnedBy(session_id=known.owner_id, turn_id=order.turn_id)
            task = await _told(keeper, known, order.text, by, key=key, now_ms=now_ms)
        case CancelTask():
            task = await _task(keeper, held, order.id)
            store, control = keeper.store, keeper.path.control
            task = await session_tasks.cancel(store, control, task, BY_PARENT, now_ms=now_ms)
        case _:
            assert_never(order)
    return await session_tasks.view(keeper.path.log, task, now_ms=now_ms)


def _holding(keeper: Keeper, held: Held) -> AbstractAsyncContextManager[Holding]:
    return keeper.store.held_transaction(TaskId(held.task_id), held.fence)


async def _task(keeper: Keeper, held: Held, wire: str) -> SessionTask:
    async with _holding(keeper, held) as holding:
        return await session_tasks.one_of(
            holding.tx, holding.session_id, session_tasks.task_id(wire)
        )


# ── spawning ────────────────────────────────────────────────────────────────────────────────────

Spawning = SpawnAgent | StartCall


async def _spawned(
    keeper: Keeper, held: Held, order: Spawning, *, key: str, now_ms: int
) -> SessionTask:
    busy = await _busy(keeper, held, now_ms=now_ms)
    async with _holding(keeper, held) as holding:
        parent, task = await _put_down(holding, keeper, order, busy, key=key, now_ms=now_ms)
    by = SpawnedBy(session_id=task.owner_id, turn_id=order.turn_id, wakes=_wakes(task, order))
    try:
        # Somebody else made it at this moment, for the same call.
        with suppress(Conflict):
            await _make(keeper, parent, task, order, now_ms=now_ms)
        return await _begun(keeper, task, task.instructions, task.message_id, by, now_ms=now_ms)
    except MainspringError as refusal:
        return await _unless_refused(keeper, held, task, refusal)


async def _unless_refused(
    keeper: Keeper, held: Held, task: SessionTask, refusal: MainspringError
) -> SessionTask:
    """The task as an earlier attempt has begun it.

    Else raises the refusal, behind which nothing is left that takes a place; one of the server's
    own leaves the record, for nobody knows what came of it.
    """
    if refusal.is_server_error or task.turn_id is not None:
        raise refusal
    # An engine that is full refuses what it has taken before, too.
    begun = await session_tasks.beginning(keeper.path.log, task)
    if begun is not None:
        return msgspec.structs.replace(task, turn_id=begun.turn_id)
    # Whoever has lost the task leaves it to who holds it now.
    async with _holding(keeper, held) as holding:
        await _take_back(holding.tx, task)
    raise refusal


async def _take_back(tx: Transaction, task: SessionTask) -> None:
    known = await tx.record(SessionTask, task.id, lock=True)
    if known is None or known.turn_id is not None:
        return
    await tx.drop_record(SessionTask, task.id)
    # The sweep finishes it, as any deletion that was cut off.
    await tx.begin_delete(SessionId(task.child_id))


def _wakes(task: SessionTask, order: Spawning) -> str | None:
    """What the session is told that the task is called, where its end shall wake it."""
    if not isinstance(order, StartCall) or not order.wakes:
        return None
    return f"{to_wire(Prefix.TASK, task.id)} ({task.name})"


async def _busy(keeper: Keeper, held: Held, *, now_ms: int) -> frozenset[UUID]:
    """The session's tasks that are not over. What their logs say is asked outside transactions."""
    async with _holding(keeper, held) as holding:
        tasks = await session_tasks.of_session(holding.tx, holding.session_id)
    views = await session_tasks.views(keeper.path.log, tasks, now_ms=now_ms)
    pairs = zip(tasks, views, strict=True)
    return frozenset(task.id for task, view in pairs if view.state not in OVER)


async def _parent(holding: Holding) -> Session:
    parent = await holding.tx.session(holding.session_id, lock=True)
    if parent is None:
        msg = "the session is gone"
        raise NotFound(msg)
    return parent


async def _put_down(
    holding: Holding,
    keeper: Keeper,
    order: Spawning,
    busy: frozenset[UUID],
    *,
    key: str,
    now_ms: int,
) -> tuple[Session, SessionTask]:
    """The session, locked, and the record of this call."""
    tx, session_id, parent = holding.tx, holding.session_id, await _parent(holding)
    digest = hashlib.sha256(key.encode()).hexdigest()
    known = await tx.record_keyed(SessionTask, session_id, digest)
    if known is not None:
        return parent, known
    await _check(holding, parent, order, busy)
    task = SessionTask(
        org_id=holding.org_id,
        id=keeper.ids.uuid7(),
        owner_id=session_id,
        key=digest,
        name=order.name,
        instructions=instructions_of(order),
        work="subagent" if isinstance(order, SpawnAgent) else "background_tool",
        child_id=keeper.ids.uuid7(),
        message_id=keeper.ids.uuid4(),
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(task)
    return parent, task


async def _check(holding: Holding, parent: Session, order: Spawning, busy: frozenset[UUID]) -> None:
    spent = isinstance(order, SpawnAgent) and order.depth < 0
    if len(parent.tier.ancestors) >= SUBAGENT_DEPTH_MAX or spent:
        msg = "an agent this deep may not spawn another; do the work here"
        raise ValidationFailed(msg)
    if len(busy) >= order.width:
        msg = f"at most {order.width} tasks may be at work together; wait for one first"
        raise Conflict(msg)
    if await holding.tx.count_records(SessionTask, holding.session_id) >= SESSION_TASKS_MAX:
        msg = f"a session has at most {SESSION_TASKS_MAX} tasks"
        raise Conflict(msg)


async def _make(
    keeper: Keeper, parent: Session, task: SessionTask, order: Spawning, *, now_ms: int
) -> None:
    """The child on the very base that its parent stands on."""
    # One that was deleted meanwhile has a head, and is not made again.
    if await keeper.path.log.heads([task.child_id]):
        return
    own = WorkspaceId(task.child_id)
    own_files = isinstance(order, SpawnAgent) and order.own_files
    child = msgspec.structs.replace(
        parent,
        id=SessionId(task.child_id),
        workspace_id=own if own_files else parent.workspace_id,
        title=task.name,
        tier=child_tier(parent, order),
        rev=1,
        created_ms=now_ms,
        updated_ms=now_ms,
        pinned=False,
    )
    async with keeper.store.transaction(OrgId(task.org_id)) as tx:
        await tx.put_session(child)
        await tx.open_log(sessions.first_event(child, now_ms))


async def _told(
    keeper: Keeper, task: SessionTask, text: str, by: SpawnedBy, *, key: str, now_ms: int
) -> SessionTask:
    digest = hashlib.sha256(key.encode()).digest()
    message_id = UUID(bytes=digest[:16], version=4)
    return await _begun(keeper, task, text, message_id, by, now_ms=now_ms)


async def _begun(
    keeper: Keeper, task: SessionTask, text: str, message_id: UUID, by: SpawnedBy, *, now_ms: int
) -> SessionTask:
    """The message brought to the child, and the turn that takes it put down."""
    draft = MessageDraft(
        content=(TextPart(text=text),),
        idempotency_key=own_key(f"task:{message_id.hex}"),
        body_hash=hashlib.sha256(text.encode()).digest(),
        spawned_by=by,
    )
    posted = await messages.post(
        keeper.path,
        OrgId(task.org_id),
        SessionId(task.child_id),
        draft,
        message_id=MessageId(message_id),
        now_ms=now_ms,
    )
    told = msgspec.structs.replace(task, turn_id=posted.receipt.turn_id, updated_ms=now_ms)
    async with keeper.store.transaction(OrgId(task.org_id)) as tx:
        await tx.put_record(told)
    return told
