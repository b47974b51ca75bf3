"""What a stack that nobody uses asks of its database: counted over minutes of virtual time."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import inspect
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec

from mainspring_engine.adapters.memory import MemoryStore
from tests.sim.loop import SimLoop
from tests.sim.weather import Chance, weather_of
from tests.sim.world import World

P = TypeVar("P")
_SETTLED_S: Final = 30.0
"""By then every process has started, and has found that there is nothing to do."""
_PARTS: Final = frozenset({"budgets", "plain", "progress", "workflows"})


class Counted:
    """A store whose async methods are one statement each, which they are where nothing is found."""

    def __init__(self, store: Any, asked: Counter[str], kind: str) -> None:
        self._store, self._asked, self._kind = store, asked, kind

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in _PARTS:
            return Counted(found, self._asked, self._kind)
        return self._counting(name, found) if inspect.iscoroutinefunction(found) else found

    def _counting(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def ask(*args: Any, **named: Any) -> Any:
            self._asked[f"{self._kind}.{name}"] += 1
            return await method(*args, **named)

        return ask


class Quiet(World):
    """Two services of a kind at most, and nobody comes."""

    def __init__(self, loop: SimLoop, engines: int) -> None:
        calm = {
            name: 0.0 for name, value in msgspec.structs.asdict(weather_of(1)).items()
            if isinstance(value, float)
        }  # fmt: skip
        weather = msgspec.structs.replace(
            weather_of(1),
            **calm | {"latency_s": 0.002},
            engines=engines,
            workers=1,
            apis=1,
            programs=0,
            plain_tasks=0,
            coders=0,
            announces=False,
        )
        super().__init__(loop, weather, Chance(1))
        self.asked: Counter[str] = Counter()

    def statements(self, store: P, *parts: str) -> P:
        del parts
        kind = MemoryStore if isinstance(store, MemoryStore) else type(store)
        counted: Any = Counted(store, self.asked, kind.__name__)
        return counted


def counted(*, engines: int, seconds: float) -> Counter[str]:
    """Statements of that time, by their store and name."""
    loop = SimLoop()
    world = Quiet(loop, engines)
    world.build()
    loop.run(_SETTLED_S)
    world.asked.clear()
    loop.run(_SETTLED_S + seconds)
    return world.asked


if __name__ == "__main__":
    print(json.dumps(counted(engines=int(sys.argv[1]), seconds=float(sys.argv[2]))), flush=True)
    # What is under way in a simulated world must not be unwound: nothing of it ever ends.
    os._exit(0)
