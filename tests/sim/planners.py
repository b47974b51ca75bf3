"""People who put down schedules, meddle with them and take them away in the end. What must hold.

Each slot begins a session of its own with one message, so that a session says what a slot did.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_scheduler.domain.slots import AT_WORK, Slot
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    Cron,
    Interval,
    MessageTarget,
    Once,
    OneSchedule,
    Overlap,
    Spec,
    Target,
    Timing,
    TriggerSchedule,
    WorkflowTarget,
)
from tests.sim.asking import asked
from tests.sim.database import BEGAN_MS
from tests.sim.loop import here
from tests.sim.scripts import script
from tests.sim.world import World

_EVERY_MS: Final = (1_000, 2_000, 5_000)
_OVERLAPS: Final[tuple[Overlap, ...]] = ("skip", "buffer_one", "cancel_other", "allow_all")
_CATCH_UP_S: Final = (3, 60)
_ONCE_MS: Final = 3_000
_TIMED: Final = ("interval", "interval", "cron", "once")
ONE_SESSION: Final = "one session"
_KINDS: Final = ("session", ONE_SESSION, "workflow")
_COUNTED: Final = re.compile(r"(\d+) slots came")
_TOLD: Final = frozenset({"running", "completed", "failed", "cancelled"})
"""How a slot stands whose target was begun."""
_MEDDLES_S: Final = 4.0


class Planned(Struct, kw_only=True):
    """A schedule that somebody put down."""

    id: UUID
    every_ms: int
    overlap: Overlap
    kind: str
    """What it begins."""
    timed: str
    triggered: set[UUID]
    """Slots by hand, that they were told of."""
    pauses: list[list[float]]
    """When somebody began to ask for one, and when they were told that it is over; in seconds."""
    settled: bool = False
    """It was taken away."""


def come(
    world: World, plans: list[Planned], agent: str, ids: SeededIds,
    session_of: Callable[[], UUID],
) -> None:  # fmt: skip
    """`session_of` is any session that somebody reads."""
    host = here()
    assert host is not None
    for _ in range(world.weather.schedules):
        planned = Planned(
            id=ids.uuid7(), every_ms=world.planning.choice(_EVERY_MS),
            overlap=world.planning.choice(_OVERLAPS), triggered=set(), pauses=[],
            timed=world.planning.choice(_TIMED),
            kind=world.planning.choice(_KINDS if world.weather.coders else _KINDS[:-1]),
        )  # fmt: skip
        plans.append(planned)
        host.spawn(_Planner(world, planned, ids, session_of).plan(agent), "person")


class _Planner:
    def __init__(
        self, world: World, planned: Planned, ids: SeededIds, session_of: Callable[[], UUID]
    ) -> None:
        self._world, self._planned, self._ids = world, planned, ids
        self._session_of = session_of
        self._draws = world.planning

    async def _asked(self, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return await asked(self._world, "scheduler", lambda one: ask(one.schedules), self._draws)

    async def plan(self, agent: str) -> None:
        heal_s = self._world.weather.heal_s
        await asyncio.sleep(0.3 * heal_s * self._draws.random())
        spec = self._spec(agent)

        def create() -> CreateSchedule:
            timed = msgspec.structs.replace(spec, timing=self._timing())
            return CreateSchedule(org_id=DEFAULT_ORG_ID, id=self._planned.id, spec=timed)

        try:
            await self._asked(lambda schedules: schedules.create(create()))
        except ValidationFailed:
            self._planned.settled = self._planned.timed == "once"  # its time was past when it came
            return
        while self._world.loop.time() < heal_s:
            await asyncio.sleep(_MEDDLES_S * self._draws.random())
            await self._meddle()
        one = OneSchedule(org_id=DEFAULT_ORG_ID, id=self._planned.id)
        with suppress(NotFound):  # it was heard the first time
            await self._asked(lambda schedules: schedules.delete(one))
        self._planned.settled = True

    def _spec(self, agent: str) -> Spec:
        return Spec(
            name=self._planned.id.hex, timing=self._timing(), target=self._target(agent),
            overlap=self._planned.overlap, catch_up_s=self._draws.choice(_CATCH_UP_S),
            jitter_s=self._draws.choice((0, 0, 1)),
        )  # fmt: skip

    def _timing(self) -> Timing:
        every_ms = self._planned.every_ms
        match self._planned.timed:
            case "cron":
                return Cron(expression=f"*/{every_ms // 1000} * * * * *", timezone="Europe/Prague")
            case "once":
                at_ms = self._world.tables.clock.wall_ms() + _ONCE_MS
                at = datetime.fromtimestamp(at_ms / 1000, UTC)
                return Once(at=at.isoformat())
            case _:
                return Interval(every_ms=every_ms)

    def _target(self, agent: str) -> Target:
        planned = self._planned
        if planned.kind == "workflow":
            arguments = [f"plan-{planned.id.hex}", 1, 0.5]
            return WorkflowTarget(workflow_type="errand", input=msgspec.json.encode(arguments))
        content = [{"type": "text", "text": script(self._world, 1)}]
        return MessageTarget(
            session_id=self._session_of() if planned.kind == ONE_SESSION else None,
            session=msgspec.json.encode({"agent_id": agent}),
            message=msgspec.json.encode({"message": {"content": content}}),
        )

    async def _meddle(self) -> None:
        planned = self._planned
        if self._draws.random() < 0.5:
            slot_id = self._ids.uuid7()
            trigger = TriggerSchedule(org_id=DEFAULT_ORG_ID, id=planned.id, slot_id=slot_id)
            await self._asked(lambda schedules: schedules.trigger(trigger))
            planned.triggered.add(slot_id)
            return
        now = self._world.loop.time
        planned.pauses.append(pause := [now(), float("inf")])
        for paused in (True, False):
            jitter_s = self._draws.choice((0, 1, 2))
            change = ChangeSchedule(
                org_id=DEFAULT_ORG_ID, id=planned.id, paused=paused, jitter_s=jitter_s
            )
            await self._asked(lambda schedules: schedules.change(change))  # noqa: B023 - awaited at once
            pause[1] = now() if not paused else pause[1]
            await asyncio.sleep(_MEDDLES_S * self._draws.random())


# ── what must hold ──────────────────────────────────────────────────────────────────────────────


def slots_of(world: World) -> list[Slot]:
    store: Any = world.tables.schedules
    return list(store._slots.values())


def always(world: World, plans: list[Planned]) -> Iterator[str]:
    slots = slots_of(world)
    for planned in plans:
        yield from _of_one(planned, [slot for slot in slots if slot.schedule_id == planned.id])
    yield from _begun(world, plans, slots)


def _of_one(planned: Planned, slots: list[Slot]) -> Iterator[str]:
    """One slot for each time, on the beat of its interval; no two at work that may not overlap."""
    name = f"schedule {planned.id.hex}"
    times = sorted(slot.slot_ms for slot in slots if slot.origin == "time")
    if len(set(times)) < len(times):
        yield f"{name} has two slots for one time: {times}"
    if planned.timed == "once":
        if len(times) > 1:
            yield f"{name} was to fire once: {times}"
    elif any((at - times[0]) % planned.every_ms for at in times):
        yield f"{name} is off its beat of {planned.every_ms} ms: {times}"
    else:
        yield from _left_out(planned, slots)
    known = {slot.id for slot in slots}
    for slot_id in planned.triggered - known if not planned.settled else ():
        yield f"slot {slot_id.hex} by hand was told of, and is not there"
    at_work = [slot for slot in slots if slot.status in AT_WORK]
    if planned.overlap != "allow_all" and len(at_work) > 1:
        yield f"{name} has {len(at_work)} slots at work"


def _left_out(planned: Planned, slots: list[Slot]) -> Iterator[str]:
    """Each time has its slot, was missed and is told of, or fell into a pause."""
    timed = sorted((slot for slot in slots if slot.origin == "time"), key=lambda it: it.slot_ms)
    for slot, after in pairwise(timed):
        told = _COUNTED.match(slot.detail or "") if slot.status == "missed" else None
        lacking = (after.slot_ms - slot.slot_ms) // planned.every_ms - 1
        lacking -= int(told[1]) - 1 if told else 0
        paused = any(
            BEGAN_MS + begun * 1000 <= after.slot_ms and slot.slot_ms <= BEGAN_MS + over * 1000
            for begun, over in planned.pauses
        )
        if lacking > 0 and not paused:
            yield f"schedule {planned.id.hex} left out {lacking} behind {slot.slot_ms}"


def _begun(world: World, plans: list[Planned], slots: list[Slot]) -> Iterator[str]:
    """One turn for each slot."""
    turns = Counter(
        row.session_id for row in world.tables.engine.tables.workflows.values() if row.is_turn
    )
    # A child that ended in the background wakes it, and what killed its workers is taken up.
    more = world.weather.spawns or world.weather.operated
    tables = world.tables.engine.tables
    own = {planned.id for planned in plans if planned.kind == "session"}
    for slot in slots:
        if slot.workflow_id is not None:
            if slot.status in _TOLD and slot.workflow_id not in tables.starts:
                yield f"slot {slot.id.hex} ({slot.status}) began no workflow"
            continue
        begun = turns[slot.session_id] if slot.session_id is not None else 0
        once = slot.schedule_id in own and not more
        if (begun > 1 and once) or (slot.turn_id is not None and not begun):
            yield f"slot {slot.id.hex} ({slot.status}) began {begun} turns"


def at_rest(world: World, plans: list[Planned]) -> Iterator[str]:
    """What was begun has its end, and nothing is begun any more."""
    if not all(planned.settled for planned in plans):
        yield "a schedule is still there"
    for slot in slots_of(world):
        if slot.ended_ms is None:
            yield f"slot {slot.id.hex} is still {slot.status}"
