"""What an engine remembers of a session is no reason to do nothing: another may have gone on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from mainspring_engine.main import Engine
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_testkit.scripts import run_script
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker

LAST_ALLOWED_LOSS = """
    update engine.task
    set
        acknowledged = true, deaths = 2, lease_until = lease_until - interval '1 minute',
        stamped_at = stamped_at - interval '1 minute'
"""


@asynccontextmanager
async def remembering(house: House, session: UUID) -> AsyncGenerator[Engine]:
    """An engine that knows the session from its first turn, which has ended."""
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "one")
        task, _ = await worker.next_reason()
        worker.reply(task, "hi")
        await worker.acknowledged()
        await worker.leave()
        yield engine


async def test_cancel_finds_the_turn_that_another_engine_began(house: House) -> None:
    session = await house.session()
    async with remembering(house, session) as engine, house.working() as other:
        begun = await house.say(other, session, "two")

        answer = await engine.control.cancel(
            commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=session)
        )

    assert (answer.status, answer.turn_id) == ("cancelled", begun.turn_id)


async def test_lost_task_is_ended_by_an_engine_that_never_heard_of_its_turn(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with remembering(house, session):
        async with house.working() as other:
            await worker.attach(other.conversations)
            await house.say(other, session, "two")
            await worker.next_reason()
        await run_script(house.admin, LAST_ALLOWED_LOSS)

        async with asyncio.timeout(30):
            while await house.count("engine.dead_letter") != 1:  # noqa: ASYNC110 -- rows tell nobody
                await asyncio.sleep(0.02)

    assert (await house.types(session)).count("turn.failed") == 1
