"""People who put down schedules, meddle with them and take them away in the end. What must hold.

Each slot begins a session of its own with one message, so that a session says what a slot did.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_scheduler.domain.slots import AT_WORK, Slot
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    Interval,
    MessageTarget,
    OneSchedule,
    Overlap,
    Spec,
    TriggerSchedule,
)
from tests.sim.asking import asked
from tests.sim.loop import here
from tests.sim.scripts import script
from tests.sim.world import World

_EVERY_MS: Final = (1_000, 2_000, 5_000)
_OVERLAPS: Final[tuple[Overlap, ...]] = ("skip", "buffer_one", "cancel_other", "allow_all")
_CATCH_UP_S: Final = (3, 60)
_MEDDLES_S: Final = 4.0


class Planned(Struct, kw_only=True):
    """A schedule that somebody put down."""

    id: UUID
    every_ms: int
    overlap: Overlap
    triggered: set[UUID]
    """Slots by hand, that they were told of."""
    settled: bool = False
    """It was taken away."""


def come(world: World, plans: list[Planned], agent: str, ids: SeededIds) -> None:
    host = here()
    assert host is not None
    for _ in range(world.weather.schedules):
        planned = Planned(
            id=ids.uuid7(), every_ms=world.planning.choice(_EVERY_MS),
            overlap=world.planning.choice(_OVERLAPS), triggered=set(),
        )  # fmt: skip
        plans.append(planned)
        host.spawn(_Planner(world, planned, ids).plan(agent), "person")


class _Planner:
    def __init__(self, world: World, planned: Planned, ids: SeededIds) -> None:
        self._world, self._planned, self._ids = world, planned, ids
        self._draws = world.planning

    async def _asked(self, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return await asked(self._world, "scheduler", lambda one: ask(one.schedules), self._draws)

    async def plan(self, agent: str) -> None:
        heal_s = self._world.weather.heal_s
        await asyncio.sleep(0.3 * heal_s * self._draws.random())
        create = CreateSchedule(org_id=DEFAULT_ORG_ID, id=self._planned.id, spec=self._spec(agent))
        await self._asked(lambda schedules: schedules.create(create))
        while self._world.loop.time() < heal_s:
            await asyncio.sleep(_MEDDLES_S * self._draws.random())
            await self._meddle()
        one = OneSchedule(org_id=DEFAULT_ORG_ID, id=self._planned.id)
        with suppress(NotFound):  # it was heard the first time
            await self._asked(lambda schedules: schedules.delete(one))
        self._planned.settled = True

    def _spec(self, agent: str) -> Spec:
        content = [{"type": "text", "text": script(self._world, 1)}]
        target = MessageTarget(
            session=msgspec.json.encode({"agent_id": agent}),
            message=msgspec.json.encode({"message": {"content": content}}),
        )
        return Spec(
            name=self._planned.id.hex, timing=Interval(every_ms=self._planned.every_ms),
            target=target, overlap=self._planned.overlap,
            catch_up_s=self._draws.choice(_CATCH_UP_S),
        )  # fmt: skip

    async def _meddle(self) -> None:
        planned = self._planned
        if self._draws.random() < 0.5:
            slot_id = self._ids.uuid7()
            trigger = TriggerSchedule(org_id=DEFAULT_ORG_ID, id=planned.id, slot_id=slot_id)
            await self._asked(lambda schedules: schedules.trigger(trigger))
            planned.triggered.add(slot_id)
            return
        for paused in (True, False):
            change = ChangeSchedule(org_id=DEFAULT_ORG_ID, id=planned.id, paused=paused)
            await self._asked(lambda schedules: schedules.change(change))  # noqa: B023 - awaited at once
            await asyncio.sleep(_MEDDLES_S * self._draws.random())


# ── what must hold ──────────────────────────────────────────────────────────────────────────────


def slots_of(world: World) -> list[Slot]:
    store: Any = world.tables.schedules
    return list(store._slots.values())


def always(world: World, plans: list[Planned]) -> Iterator[str]:
    slots = slots_of(world)
    for planned in plans:
        yield from _of_one(planned, [slot for slot in slots if slot.schedule_id == planned.id])
    yield from _begun(world, slots)


def _of_one(planned: Planned, slots: list[Slot]) -> Iterator[str]:
    """One slot for each time, on the beat of its interval; no two at work that may not overlap."""
    name = f"schedule {planned.id.hex}"
    times = sorted(slot.slot_ms for slot in slots if slot.origin == "time")
    if len(set(times)) < len(times):
        yield f"{name} has two slots for one time: {times}"
    if any((at - times[0]) % planned.every_ms for at in times):
        yield f"{name} is off its beat of {planned.every_ms} ms: {times}"
    known = {slot.id for slot in slots}
    for slot_id in planned.triggered - known if not planned.settled else ():
        yield f"slot {slot_id.hex} by hand was told of, and is not there"
    at_work = [slot for slot in slots if slot.status in AT_WORK]
    if planned.overlap != "allow_all" and len(at_work) > 1:
        yield f"{name} has {len(at_work)} slots at work"


def _begun(world: World, slots: list[Slot]) -> Iterator[str]:
    """One turn for each slot."""
    turns = Counter(
        row.session_id for row in world.tables.engine.tables.workflows.values() if row.is_turn
    )
    # A child that ended in the background wakes it, and what killed its workers is taken up.
    more = world.weather.spawns or world.weather.operated
    for slot in slots:
        begun = turns[slot.session_id] if slot.session_id is not None else 0
        if (begun > 1 and not more) or (slot.turn_id is not None and not begun):
            yield f"slot {slot.id.hex} ({slot.status}) began {begun} turns"


def at_rest(world: World, plans: list[Planned]) -> Iterator[str]:
    """What was begun has its end, and nothing is begun any more."""
    if not all(planned.settled for planned in plans):
        yield "a schedule is still there"
    for slot in slots_of(world):
        if slot.ended_ms is None:
            yield f"slot {slot.id.hex} is still {slot.status}"
