"""People who look after what a session has given to others, and cancel some of it."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from contextlib import suppress
from typing import Any, Final

from mainspring_api.domain.session_tasks import SessionTask
from mainspring_api.usecases import session_tasks
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import DEFAULT_ORG_ID, SessionId
from mainspring_schema.session_tasks import OVER, SessionTaskView
from tests.sim.asking import asked
from tests.sim.world import World

_LOOKS_S: Final = 2.0
_CANCELS: Final = 0.2


async def oversee(world: World, wrong: list[str], session_id: SessionId) -> None:
    """Once they were told that one is over, it stays so."""
    draws, told = world.chance.overseeing, dict[str, str]()
    while world.loop.time() < world.weather.heal_s:
        await asyncio.sleep(_LOOKS_S * (0.5 + draws.random()))
        with suppress(MainspringError):  # its session may be gone
            tasks, views = await asked(world, "api", lambda api: _looked(api, session_id), draws)
            for view in views:
                wrong += _changed(told, view)
            if tasks and draws.random() < _CANCELS:
                one = draws.choice(tasks)
                await asked(world, "api", lambda api: _cancelled(api, one), draws)  # noqa: B023 - awaited at once


async def _looked(
    api: Any, session_id: SessionId
) -> tuple[list[SessionTask], list[SessionTaskView]]:
    async with api.door.store.transaction(DEFAULT_ORG_ID) as tx:
        tasks = list(await session_tasks.of_session(tx, session_id))
    now_ms = api.door.clock.wall_ms()
    return tasks, await session_tasks.views(api.path.log, tasks, now_ms=now_ms)


async def _cancelled(api: Any, task: SessionTask) -> SessionTask:
    return await session_tasks.cancel(
        api.door.store, api.path.control, task, "user", now_ms=api.door.clock.wall_ms()
    )


def _changed(told: dict[str, str], view: SessionTaskView) -> list[str]:
    """One that was never begun may begin all the same, and is as its log says then."""
    if view.turn_id is None:
        return []
    before = told.get(view.id, view.state)
    told[view.id] = view.state
    if before in OVER and before != view.state:
        return [f"task {view.id} was {before}, and is {view.state}"]
    return []
