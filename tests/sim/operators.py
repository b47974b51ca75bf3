"""People who change what waits in a session; operators who drain workers and requeue letters."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_engine.domain.routes import CIRCUIT
from mainspring_engine.domain.workflow.retention import Keep
from mainspring_engine.usecases.retention import Retention
from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, SessionId, from_wire
from mainspring_schema.delivery import (
    CONSUMED,
    DeliveryOrder,
    EditMessage,
    ReorderMessages,
    WithdrawMessage,
)
from mainspring_schema.gates import SetCircuit, SetLimit
from mainspring_schema.messages import TextPart
from mainspring_schema.operations import DrainWorker, LetterFilter, ResolveLetters, ResumeWorker
from tests.sim.asking import asked
from tests.sim.keys import AT_ONCE, LIMITS
from tests.sim.loop import here
from tests.sim.orders import PRESS
from tests.sim.world import World

_EDITS_S: Final = 1.0
_DRAINS_S: Final = 4.0
_DRAINED_S: Final = 5.0
_LETTERS: Final = (
    LetterFilter(status="open", reason="poison", kind="tool"),
    LetterFilter(status="open", reason="exhausted"),
)
_CIRCUITS: Final = (f"{CIRCUIT}{PRESS}",)
_MANY: Final = 100
"""As good as no limit."""
_HELD_S: Final = 4.0
_FORGETS_S: Final = 1.0
_KEEP: Final = Keep(generations=1)


def come(world: World) -> None:
    host = here()
    assert host is not None
    if world.weather.operated:
        host.spawn(_drain(world), "operator")
        host.spawn(_requeue(world), "operator")
        host.spawn(_hold_back(world), "operator")
    if world.weather.forgets:
        host.spawn(_forget(world), "operator")


async def _asked(world: World, order: Any) -> Any:
    return await asked(
        world, "engine", lambda engine: engine.operator.operate(order), world.operating
    )


async def _drain(world: World) -> None:
    draws, workers = world.operating, world.tables.engine.tables.registry.workers
    while world.loop.time() < world.weather.heal_s:
        await asyncio.sleep(_DRAINS_S * (0.5 + draws.random()))
        if not workers:
            continue
        worker_id = draws.choice(sorted(workers))
        with suppress(MainspringError):  # it may be gone
            await _asked(world, DrainWorker(worker_id=worker_id))
            await asyncio.sleep(_DRAINED_S * draws.random())
        with suppress(MainspringError):
            await _asked(world, ResumeWorker(worker_id=worker_id))
    while True:
        # A drain that nobody answered may come to pass late, behind what took it back.
        for worker_id in sorted(workers):
            with suppress(MainspringError):
                await _asked(world, ResumeWorker(worker_id=worker_id))
        await asyncio.sleep(_DRAINED_S)


async def _requeue(world: World) -> None:
    """What turns and tasks have left behind; some of it is not wanted any more."""
    draws = world.operating
    while world.loop.time() < world.weather.heal_s:
        await asyncio.sleep(_DRAINS_S * (0.5 + draws.random()))
        order = ResolveLetters(
            org_id=DEFAULT_ORG_ID, action=draws.choice(("requeue", "requeue", "discard")),
            wanted=draws.choice(_LETTERS), limit=10, rate_per_s=10.0, rehearsal=False,
        )  # fmt: skip
        with suppress(MainspringError):
            await _asked(world, order)


async def _hold_back(world: World) -> None:
    """A key is paused for a while, a circuit opened or closed by hand, and all of it undone."""
    draws = world.operating

    async def set_(order: SetCircuit | SetLimit) -> None:
        with suppress(NotFound):  # of a circuit that was never open
            await asked(world, "engine", lambda engine: _set(engine.gate_control, order), draws)

    held = [LIMITS[0].key] if world.weather.limited else ["queue:default"]
    while world.loop.time() < world.weather.heal_s:
        await asyncio.sleep(_HELD_S * (0.5 + draws.random()))
        key, action = draws.choice((*held, *_CIRCUITS)), draws.choice(("open", "close"))
        for order in _held_back(key, action):
            await set_(order)
            await asyncio.sleep(_HELD_S * draws.random())
    while True:
        # What nobody answered may come to pass late, behind what took it back.
        for key in (*held, *_CIRCUITS):
            await set_(_held_back(key, "open")[1])
        await asyncio.sleep(_HELD_S)


def _held_back(key: str, action: Any) -> tuple[SetCircuit | SetLimit, SetCircuit | SetLimit]:
    """What holds it, and what lets it go."""
    if key in _CIRCUITS:
        held = SetCircuit(key=key, action=action, reason="by hand")
        return held, SetCircuit(key=key, action="reset")
    at_once = AT_ONCE if key == LIMITS[0].key else _MANY
    return SetLimit(key=key, at_once=0), SetLimit(key=key, at_once=at_once)


async def _set(gates: Any, order: SetCircuit | SetLimit) -> Any:
    is_limit = isinstance(order, SetLimit)
    return await (gates.set_limit(order) if is_limit else gates.set_circuit(order))


async def _forget(world: World) -> None:
    """As the hourly upkeep of an engine that keeps but the newest generation."""
    rows = world.tables.engine.retention
    retention = Retention(rows, _KEEP)
    while True:
        await asyncio.sleep(_FORGETS_S * world.operating.random())
        await retention.sweep()


async def edit(world: World, withdrawn: set[UUID], session_id: SessionId) -> None:
    """Of what waits one is withdrawn, changed, or put in another's place."""
    draws = world.operating
    while world.loop.time() < world.weather.heal_s:
        await asyncio.sleep(_EDITS_S * (0.5 + draws.random()))
        rows = world.tables.engine.tables.inbox.get(session_id, {})
        waiting = [id_ for id_, row in rows.items() if row.workflow_id is None]
        if not waiting:
            continue
        order = _drawn(world, session_id, waiting)
        with suppress(MainspringError):  # a turn took it first
            await _asked(world, order)
            if isinstance(order, WithdrawMessage):
                withdrawn.add(order.message_id)


def _drawn(world: World, session_id: SessionId, waiting: list[UUID]) -> DeliveryOrder:
    draws, one = world.operating, world.operating.choice(waiting)
    match draws.choice(("withdraw", "edit", "reorder")):
        case "withdraw":
            return WithdrawMessage(org_id=DEFAULT_ORG_ID, session_id=session_id, message_id=one)
        case "edit":
            return EditMessage(
                org_id=DEFAULT_ORG_ID, session_id=session_id, message_id=one,
                content=(TextPart(text="Never mind."),),
            )  # fmt: skip
        case _:
            mixed = tuple(draws.sample(waiting, len(waiting)))
            return ReorderMessages(org_id=DEFAULT_ORG_ID, session_id=session_id, message_ids=mixed)


# ── what must hold ──────────────────────────────────────────────────────────────────────────────


class _Consumed(Struct):
    consumed: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


class _Payload(Struct):
    data: _Consumed


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)
_TAKING: Final = frozenset({"reason.started", CONSUMED})


def always(world: World, withdrawn: set[UUID]) -> Iterator[str]:
    """A message is taken by one turn, and one that was withdrawn by none."""
    taken: Counter[UUID] = Counter()
    for rows in world.tables.log.events.values():
        for row in rows:
            if row.event.type in _TAKING:
                data = _PAYLOAD.decode(row.event.payload).data
                for id_ in (*data.consumed, *data.message_ids):
                    taken[from_wire(Prefix.MESSAGE, id_)] += 1
    for message_id, count in taken.items():
        if count > 1:
            yield f"I6 message {message_id.hex} was taken {count} times"
        if message_id in withdrawn:
            yield f"message {message_id.hex} was withdrawn, and taken"
