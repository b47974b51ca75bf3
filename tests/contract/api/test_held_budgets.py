"""What an agent may know of the budgets that it falls under: both stores answer alike."""

from typing import cast

import pytest

from mainspring_api.domain.resources import Tier
from mainspring_api.ports.store import Store
from mainspring_kernel import errors
from mainspring_kernel.ids import ANONYMOUS_USER_ID, DEFAULT_ORG_ID, Prefix, to_wire
from mainspring_schema.budgets import Budgets, CreateBudget, OwnBudgets, Subject
from mainspring_schema.frames import Held
from tests.api.operators import FakeOperator
from tests.contract.api.conftest import Hold
from tests.contract.api.test_held_resources import IDS, Tool, tool
from tests.contract.api.test_store_contract import new_session

__all__ = ["tool"]


def made(tool: Tool, subject: Subject) -> Subject:
    """Puts a budget of somebody behind the engine's door."""
    operator = cast("FakeOperator", tool.keeper.path.configurations.operator)
    order = CreateBudget(
        org_id=DEFAULT_ORG_ID,
        budget_id=IDS.uuid7(),
        subject=subject,
        currency="calls",
        allowed=1,
        soft=None,
        metadata=b"{}",
    )
    operator.budgets.carry_out(order)
    return subject


async def own(tool: Tool) -> set[Subject]:
    found = await tool.ask(OwnBudgets(), Budgets)
    return {Subject(type=one.subject_type, id=one.subject_id) for one in found.budgets}


async def test_a_session_knows_its_budgets_and_those_above_it(store: Store, hold: Hold) -> None:
    parent, agent, user = IDS.uuid7(), IDS.uuid7(), IDS.uuid7()
    tier = Tier(
        ancestors=(to_wire(Prefix.SESSION, parent),), user=to_wire(Prefix.VIRTUAL_USER, user)
    )
    session = new_session(tier=tier, agent_id=agent)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
    tool = Tool(store, session, Held(await hold(session.id), 1))
    mine = {
        made(tool, Subject(type="session", id=session.id)),
        made(tool, Subject(type="session", id=parent)),
        made(tool, Subject(type="agent", id=agent)),
        made(tool, Subject(type="user", id=user)),
        made(tool, Subject(type="organization", id=DEFAULT_ORG_ID)),
    }
    made(tool, Subject(type="session", id=IDS.uuid7()))
    made(tool, Subject(type="user", id=ANONYMOUS_USER_ID))

    assert await own(tool) == mine


async def test_without_an_own_user_a_session_is_everybodys(tool: Tool) -> None:
    everybody = made(tool, Subject(type="user", id=ANONYMOUS_USER_ID))

    assert await own(tool) == {everybody}


async def test_who_lost_the_task_sees_nothing(tool: Tool) -> None:
    tool.task = Held(tool.task.task_id, tool.task.fence + 1)

    with pytest.raises(errors.LeaseLost):
        await own(tool)
