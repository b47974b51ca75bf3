"""Whoever is not answered asks again, as a client does."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from mainspring_kernel.errors import MainspringError
from tests.sim.world import World

TRIES_MAX: Final = 400
_AGAIN_S: Final = 0.5
_FULL: Final = 429


class GaveUp(Exception):
    """Nobody answered, however often."""


async def asked(
    world: World, kind: str, ask: Callable[[Any], Coroutine[Any, Any, Any]], draws: Random
) -> Any:
    """The answer of any replica of a service. Raises what is final, GaveUp."""
    for _ in range(TRIES_MAX):
        replica = world.any_of(kind)
        try:
            return await world.network.call(replica.host, lambda: ask(replica.program))  # noqa: B023 - awaited at once
        except MainspringError as error:
            if error.status < 500 and error.status != _FULL:
                raise
        await asyncio.sleep(_AGAIN_S * (1 + draws.random()))
    raise GaveUp
