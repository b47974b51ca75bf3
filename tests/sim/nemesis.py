"""Who breaks things: crashes, freezes, partitions, outages, cut streams; and who mends them."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tests.sim.weather import HEAL_S
from tests.sim.world import World

_DOWN_S: Final = 4.0
"""A crashed program is started again within so long."""
_FROZEN_S: Final = 25.0
"""Up to two and a half leases."""
_APART_S: Final = 15.0
_OUT_S: Final = 8.0


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
                (weather.freeze_every_s, self._freeze),
                (weather.partition_every_s, self._partition),
                (weather.outage_every_s, self._outage),
                (weather.stream_cut_every_s, self._cut),
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
            world.network.join(running.host)
            running.host.thaw()
            if not running.host.up:
                world.start(place)

    async def _again(self, every_s: float, strike: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = self._world.loop
        while True:
            await asyncio.sleep(every_s * 2 * self._draws.random())
            if loop.time() >= HEAL_S:
                return
            await strike()

    def _somebody(self) -> str:
        return self._draws.choice(sorted(self._world.places))

    async def _crash(self) -> None:
        place = self._somebody()
        running = self._world.places[place]
        if running.host.up:
            self._world.chance.met[f"crash of {place.partition('-')[0]}"] += 1
            running.host.crash()
        await asyncio.sleep(_DOWN_S * self._draws.random())
        if not self._world.places[place].host.up:
            self._world.start(place)

    async def _freeze(self) -> None:
        place = self._somebody()
        host = self._world.places[place].host
        self._world.chance.met[f"freeze of {place.partition('-')[0]}"] += 1
        host.freeze()
        await asyncio.sleep(_FROZEN_S * self._draws.random())
        host.thaw()

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
        wires = [wire for wire in self._world.wires if not wire.broken]
        self._world.wires[:] = wires
        if wires:
            self._world.chance.met["stream cut"] += 1
            self._draws.choice(wires).cut()
