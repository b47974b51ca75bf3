"""Schedules of a session, made by its own agent.

The scheduler is asked outside transactions. A record says which schedules belong to a session. It
is written before the schedule is made and removed after the schedule is gone, so no schedule that
exists is ever missed.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from mainspring_api.domain.limits import SESSION_SCHEDULES_MAX
from mainspring_api.domain.own_schedules import OwnSchedule
from mainspring_api.ports.store import Holding
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel.errors import (
    Conflict,
    NameTaken,
    NotFound,
    TooManyRequests,
    ValidationFailed,
)
from mainspring_kernel.ids import OrgId, Prefix, TaskId, to_wire
from mainspring_schema.frames import Held
from mainspring_schema.schedules import (
    CreateSchedule,
    MessageTarget,
    OneSchedule,
    ScheduleRecord,
    Spec,
)
from mainspring_schema.session_schedules import (
    Cancelled,
    CancelSchedule,
    MakeSchedule,
    SessionSchedule,
    SessionSchedules,
)

_REFUSALS: Final = (ValidationFailed, NameTaken, TooManyRequests)


class _Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a held task's session has made so far."""

    org_id: OrgId
    made: Sequence[OwnSchedule]


async def listed(keeper: Keeper, held: Held) -> SessionSchedules:
    """Raises LeaseLost, NotFound for a session that is gone, Unavailable."""
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        session = await _session(holding)
    alive = await _alive(keeper, session)
    return SessionSchedules(
        schedules=tuple(_shown(one, alive[one.id]) for one in session.made if one.id in alive)
    )


async def make(
    keeper: Keeper, held: Held, order: MakeSchedule, *, key: str, now_ms: int
) -> SessionSchedule:
    """The same call again gets the same schedule.

    Raises LeaseLost, NotFound, Conflict, ValidationFailed, TooManyRequests, Unavailable.
    """
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        session = await _session(holding)
    alive = await _alive(keeper, session)
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        own = await _put_down(holding, keeper, order, set(alive), key=key, now_ms=now_ms)
    spec = Spec(
        name=f"{to_wire(Prefix.SESSION, own.owner_id)} {to_wire(Prefix.SCHEDULE, own.id)}",
        description="Made by the session's own agent.",
        timing=order.timing,
        target=MessageTarget(session_id=own.owner_id, message=_body(order.message)),
    )
    try:
        made = await keeper.schedules.create(
            CreateSchedule(org_id=session.org_id, id=own.id, spec=spec)
        )
    except _REFUSALS:
        async with keeper.store.transaction(session.org_id) as tx:
            await tx.drop_record(OwnSchedule, own.id)
        raise
    return _shown(own, made)


async def cancel(keeper: Keeper, held: Held, order: CancelSchedule) -> Cancelled:
    """Raises LeaseLost, NotFound for a session that is gone, Unavailable."""
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        session = await _session(holding)
    own = next((one for one in session.made if _wire(one) == order.id), None)
    if own is None:
        return Cancelled(cancelled=False)
    with suppress(NotFound):  # an earlier attempt, or people, were first
        await keeper.schedules.delete(OneSchedule(org_id=session.org_id, id=own.id))
    async with keeper.store.transaction(session.org_id) as tx:
        await tx.drop_record(OwnSchedule, own.id)
    return Cancelled(cancelled=True)


async def _session(holding: Holding) -> _Session:
    if await holding.tx.session(holding.session_id) is None:
        detail = "the session is gone"
        raise NotFound(detail)
    made = await holding.tx.records(OwnSchedule, holding.session_id, limit=SESSION_SCHEDULES_MAX)
    return _Session(org_id=holding.org_id, made=made)


async def _alive(keeper: Keeper, session: _Session) -> dict[object, ScheduleRecord]:
    """Those of which something still comes, by id."""
    alive: dict[object, ScheduleRecord] = {}
    for one in session.made:
        try:
            found = await keeper.schedules.get(OneSchedule(org_id=session.org_id, id=one.id))
        except NotFound:
            continue
        if found.next_ms is not None or found.paused:
            alive[one.id] = found
    return alive


async def _put_down(
    holding: Holding,
    keeper: Keeper,
    order: MakeSchedule,
    alive: set[object],
    *,
    key: str,
    now_ms: int,
) -> OwnSchedule:
    """The record of this call; of others, those that nothing comes of make room."""
    tx, session_id = holding.tx, holding.session_id
    await tx.session(session_id, lock=True)
    digest = hashlib.sha256(key.encode()).hexdigest()
    known = await tx.record_keyed(OwnSchedule, session_id, digest)
    if known is not None:
        return known
    for one in await tx.records(OwnSchedule, session_id, limit=SESSION_SCHEDULES_MAX):
        if one.id not in alive:
            await tx.drop_record(OwnSchedule, one.id)
    if await tx.count_records(OwnSchedule, session_id) >= SESSION_SCHEDULES_MAX:
        msg = f"a session has at most {SESSION_SCHEDULES_MAX} schedules; cancel one first"
        raise Conflict(msg)
    own = OwnSchedule(
        org_id=holding.org_id,
        id=keeper.ids.uuid7(),
        owner_id=session_id,
        key=digest,
        message=order.message,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(own)
    return own


def _body(message: str) -> bytes:
    """As a client would post it."""
    content = [{"type": "text", "text": message}]
    return msgspec.json.encode({"message": {"role": "user", "content": content}})


def _shown(own: OwnSchedule, record: ScheduleRecord) -> SessionSchedule:
    return SessionSchedule(
        id=_wire(own),
        message=own.message,
        timing=record.spec.timing,
        next_ms=None if record.paused else record.next_ms,
    )


def _wire(own: OwnSchedule) -> str:
    return to_wire(Prefix.SCHEDULE, own.id)
