"""Who breaks things: crashes, freezes, partitions, outages, cut streams; and who mends them."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final
from uuid import UUID

from mainspring_kernel.limits import DRAIN_S
from tests.sim.network import Wire
from tests.sim.world import World

_DOWN_S: Final = 4.0
"""A crashed program is started again within so long."""
_FROZEN_S: Final = 25.0
"""Up to two and a half leases."""
_LOOK_S: Final = 0.25
_APART_S: Final = 15.0
_CHOKED_S: Final = 20.0
"""Half of it at least, which is a lease: then another is at work on what it says it has done."""
_OUT_S: Final = 8.0
_STOPPED_S: Final = DRAIN_S + 5.0
"""Who does not leave by then is killed."""


def _kind(place: str) -> str:
    return place.partition("-")[0]


async def _leave_schedules(scheduler: Any) -> None:
    scheduler.loop.stop()


_LEAVING: Final[dict[str, Callable[[Any], Coroutine[Any, Any, None]]]] = {
    "worker": lambda worker: worker.drain(),
    "engine": lambda engine: engine.drain(),
    "scheduler": _leave_schedules,
}
"""How those leave that are told to."""


class Nemesis:
    def __init__(self, world: World) -> None:
        self._world = world
        self._draws = world.chance.faults

    async def rage(self) -> None:
        """Until the healing."""
        weather = self._world.weather
        async with asyncio.TaskGroup() as group:
            for every_s, strike in (
                (weather.crash_every_s, self._crash),
                (weather.stop_every_s, self._stop),
                (weather.freeze_every_s, self._freeze),
                (weather.wake_every_s, self._wake),
                (weather.partition_every_s, self._partition),
                (weather.outage_every_s, self._outage),
                (weather.stream_cut_every_s, self._cut),
                (weather.stream_hangs_every_s, self._hang),
                (weather.stream_chokes_every_s, self._choke),
            ):
                if every_s:
                    group.create_task(self._again(every_s, strike))

    async def heal(self) -> None:
        """Everything that is down starts, everything frozen thaws, the network is whole."""
        world = self._world
        world.network.calm = True
        world.network.database_up = True
        if not world.network.bus_up:
            world.hints.turn(up=True)
        for place, running in list(world.places.items()):
            if world.weather.last_crash and place.startswith("worker"):
                running.host.crash()
            world.network.join(running.host)
            running.host.thaw()
            if not running.host.up:
                world.start(place)
        if world.weather.last_hang:
            for wire in world.wires:
                wire.hang()

    async def _again(self, every_s: float, strike: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = self._world.loop
        while True:
            await asyncio.sleep(every_s * 2 * self._draws.random())
            if loop.time() >= self._world.weather.heal_s:
                return
            await strike()

    def _somebody(self) -> str:
        """Workers twice as often as their number says: in their hands most can go wrong."""
        places = sorted(self._world.places)
        return self._draws.choice(places + [place for place in places if place[0] == "w"])

    async def _crash(self) -> None:
        place = self._somebody()
        running = self._world.places[place]
        if running.host.up:
            self._world.chance.met[f"crash of {_kind(place)}"] += 1
            running.host.crash()
        await asyncio.sleep(_DOWN_S * self._draws.random())
        if not self._world.places[place].host.up:
            self._world.start(place)

    async def _stop(self) -> None:
        """As by SIGTERM: it finishes what it can, leaves, and is started again."""
        stoppable = [one for one in sorted(self._world.places) if _kind(one) in _LEAVING]
        place = self._draws.choice(stoppable)
        host, program = self._world.places[place]
        if not host.up:
            return
        self._world.chance.met[f"stop of {_kind(place)}"] += 1
        leaving = host.spawn(_LEAVING[_kind(place)](program), "leaving")
        for _ in range(round(_STOPPED_S / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            if leaving.done() or not host.up:
                break
        if host.up:
            host.crash()
        await asyncio.sleep(_DOWN_S * self._draws.random())
        if not self._world.places[place].host.up:
            self._world.start(place)

    async def _freeze(self) -> None:
        place = self._somebody()
        host = self._world.places[place].host
        self._world.chance.met[f"freeze of {_kind(place)}"] += 1
        host.freeze()
        await asyncio.sleep(_FROZEN_S * self._draws.random())
        host.thaw()

    async def _wake(self) -> None:
        """It freezes at work, and wakes with a result in hand while another works at the same."""
        for _ in range(round(_FROZEN_S / _LOOK_S)):
            place, held = self._at_work()
            if held:
                break
            await asyncio.sleep(_LOOK_S)
        else:
            return
        self._world.chance.met["woken worker"] += 1
        host = self._world.places[place].host
        host.freeze()
        tasks = self._world.tables.engine.tables.tasks
        for _ in range(round(_FROZEN_S / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            now = {id_: tasks[id_].incarnation for id_ in held if id_ in tasks}
            taken = any(who is not None and who != held[id_] for id_, who in now.items())
            if taken or not now or not host.up:
                break
        host.thaw()

    def _at_work(self) -> tuple[str, dict[UUID, UUID]]:
        """A worker, and what it holds that takes a while."""
        places = [place for place in sorted(self._world.places) if place.startswith("worker")]
        place = self._draws.choice(places)
        incarnation = self._world.places[place].program._core._identity.incarnation
        tasks = self._world.tables.engine.tables.tasks.values()
        slow = [task for task in tasks if task.acknowledged and task.incarnation == incarnation]
        return place, {task.id: incarnation for task in slow}

    async def _partition(self) -> None:
        host = self._world.places[self._somebody()].host
        self._world.chance.met["partition"] += 1
        self._world.network.cut_off(host)
        await asyncio.sleep(_APART_S * self._draws.random())
        self._world.network.join(host)

    async def _outage(self) -> None:
        world = self._world
        of_bus = self._draws.random() < 0.5
        world.chance.met["outage of the bus" if of_bus else "outage of the database"] += 1
        if of_bus:
            world.hints.turn(up=False)
        else:
            world.network.database_up = False
        await asyncio.sleep(_OUT_S * self._draws.random())
        if of_bus:
            world.hints.turn(up=True)
        else:
            world.network.database_up = True

    async def _cut(self) -> None:
        for wire in self._one_wire("stream cut"):
            wire.cut()

    async def _hang(self) -> None:
        for wire in self._one_wire("stream hangs"):
            wire.hang()

    async def _choke(self) -> None:
        for wire in self._one_wire("stream choked"):
            wire.choke(_CHOKED_S * (1 + self._draws.random()) / 2)

    def _one_wire(self, kind: str) -> list[Wire]:
        """At most."""
        wires = [wire for wire in self._world.wires if not wire.broken]
        self._world.wires[:] = wires
        if not wires:
            return []
        self._world.chance.met[kind] += 1
        return [self._draws.choice(wires)]
