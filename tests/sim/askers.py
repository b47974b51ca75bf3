"""People who ask programs how far they have come. What must hold of the answers.

An answer has all that was recorded when it was asked for, and nothing that was not when it came.
"""

import asyncio
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.rows import Outcome
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.workflows import QueryWorkflow
from tests.sim.asking import GaveUp, asked
from tests.sim.loop import here
from tests.sim.programs import ASKABLE, SO_FAR, token_of
from tests.sim.records import tokens_of
from tests.sim.world import World

_AGAIN_S: Final = 2.0
_ANSWER: Final = msgspec.json.Decoder(list[str])


def come(world: World, wrong: list[str], program: str, id_: UUID) -> None:
    """Lets somebody in who asks this workflow, on the host that calls."""
    host = here()
    assert host is not None
    if world.weather.queried and program in ASKABLE:
        host.spawn(_ask(world, wrong, f"{program} {id_.hex}", id_), "person")


async def _ask(world: World, wrong: list[str], name: str, id_: UUID) -> None:
    """Until it has ended, and once more then."""
    tables, draws = world.tables.engine.tables, world.chance.querying
    query = QueryWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, name=SO_FAR, arguments=b"[]")
    ended = False
    while not ended:
        await asyncio.sleep(_AGAIN_S * draws.random())
        ended = tables.workflows[id_].outcome is not Outcome.RUNNING
        before = tokens_of(tables, id_)
        try:
            raw = await asked(world, "engine", lambda engine: engine.workflows.query(query), draws)
        except (MainspringError, GaveUp) as error:
            wrong.append(f"{name} was asked how far it is, and answered {error!r}")
            return
        answer = {token_of(text) for text in _ANSWER.decode(raw)}
        # What is forgotten was handed on, and is known all the same.
        known = answer if world.weather.forgets else tokens_of(tables, id_)
        if not before <= answer <= known:
            wrong.append(f"{name} has {raw!r}, and {sorted(before)} was recorded before")
