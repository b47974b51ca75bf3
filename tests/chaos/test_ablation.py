"""The switches of `./task chaos --without`: they still fit the functions, and are missed."""

import asyncio

import pytest

from mainspring_local.invariants import checks
from mainspring_testkit.fixtures import Database
from mainspring_testkit.scripts import run_script
from tests.chaos import ablation
from tests.integration.engine.house import House, open_house
from tests.integration.engine.scripted_worker import ScriptedWorker

AGE = """
    update engine.task
    set
        lease_until = lease_until - interval '1 minute',
        stamped_at = stamped_at - interval '1 minute'
"""


async def late_result(house: House) -> list[str]:
    """A worker that lost its lease brings its result while another works; what is broken then."""
    first, second = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await first.attach(engine.conversations, slots=1)
        await house.say(engine, await house.session(), "hello")
        late, _ = await first.next_reason()
        await second.attach(engine.conversations, slots=1)
        await run_script(house.admin, AGE)
        async with asyncio.timeout(30):
            again, _ = await second.next_reason()
        assert again.held.fence == late.held.fence + 1

        first.reply(late, "hi")
        await first.acknowledged()

        findings = await checks.examine(house.admin, checks.invariants())
        await first.leave()
        await second.leave()
    return [one.name for one in findings if one.violating]


async def test_a_late_result_is_refused(database: Database) -> None:
    async with open_house(database.url("engine_run"), database.url()) as house:
        assert await late_result(house) == []


@pytest.mark.parametrize("name", ablation.SAFEGUARDS)
async def test_a_late_result_is_found_where_the_safeguard_is_away(
    database: Database, name: str
) -> None:
    async with open_house(database.url("engine_run"), database.url()) as house:
        for statement in ablation.statements(name):
            await run_script(house.admin, statement)

        assert "results_bear_the_highest_fence" in await late_result(house)
