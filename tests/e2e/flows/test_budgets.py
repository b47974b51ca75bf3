"""A session that runs into its budget, through the whole stack and through the SDK."""

import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import ApiError

from tests.e2e.flows.surface import proves
from tests.e2e.flows.test_turns import agent
from tests.e2e.flows.wire import Wire, scripted, types

pytestmark = pytest.mark.stack

ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}
SLEEP = {"name": "bash", "arguments": {"commands": "sleep 1.5"}}
CHECK: dict[str, object] = {"name": "check_budget", "arguments": {}}


@proves(
    "budgets.create",
    "budgets.list",
    "budgets.get",
    "budgets.update",
    "budgets.delete",
    "budgets.top_up",
    "budgets.ledger",
    "budgets.check",
    "sessions.budgets",
    "sessions.budget_check",
    "sessions.resume",
)
async def test_a_session_pauses_at_its_limit_and_goes_on_once_it_is_raised(
    client: Everruns, wire: Wire
) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=[{"ref": "test_math"}]))
    made = await client.budgets.create(
        "session", session, "calls", 1, soft_limit=1, metadata={"for": "tests"}
    )
    turns = [{"tool_calls": [ADD]}, {"text": "Three."}]
    await wire.say(session, scripted("Add.", turns=turns))
    before = await wire.until(session, "budget.exhausted")
    paused = await wire.get(f"/sessions/{session}")
    check = await client.sessions.budget_check(session)
    early = await client.sessions.resume(session)
    topped = await client.budgets.top_up(made.id, 3, description="one more")
    late = await client.sessions.resume(session)
    after = await wire.to_rest(session)

    assert types(before).count("reason.started") == 1
    assert (paused["status"], paused["paused"]) == ("idle", True)
    assert (check.action, check.budget_id) == ("pause", made.id)
    assert (early.resumed_budgets, late.resumed_budgets) == (0, 1)
    assert topped.balance == 3
    assert types(after)[-2:] == ["turn.completed", "session.idled"]
    ledger = await client.budgets.ledger(made.id)
    assert [entry.amount for entry in reversed(ledger)] == [1, -1, 3, -1]
    assert (await client.budgets.get(made.id)).balance == sum(entry.amount for entry in ledger)
    assert [one.id for one in await client.sessions.budgets(session)] == [made.id]
    assert (await client.budgets.check(made.id)).action == "allow"

    changed = await client.budgets.update(made.id, limit=5, status="disabled", metadata={"b": 2})
    listed = await client.budgets.list(subject_type="session", subject_id=session)
    await client.budgets.delete(made.id)
    with pytest.raises(ApiError) as gone:
        await client.budgets.get(made.id)

    assert (changed.limit, changed.status, changed.metadata) == (5, "disabled", {"b": 2})
    assert listed == [changed]
    assert gone.value.status_code == 404


async def test_a_session_goes_on_by_itself_once_its_budget_renews(
    client: Everruns, wire: Wire
) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=[{"ref": "test_math"}]))
    period = {"type": "duration", "seconds": 2}
    made = await client.budgets.create("session", session, "calls", 1, period=period)
    turns = [{"tool_calls": [ADD]}, {"tool_calls": [ADD]}, {"text": "Three."}]

    await wire.say(session, scripted("Add twice.", turns=turns))
    events = await wire.to_rest(session)

    assert types(events).count("reason.started") == 3
    assert types(events)[-2:] == ["turn.completed", "session.idled"]
    ledger = await client.budgets.ledger(made.id)
    assert {entry.meter_source for entry in ledger} == {"limit", "model_call", "renewal"}
    assert made.period is not None
    assert (made.period.type, made.period.seconds) == ("duration", 2)


async def test_calls_of_tools_wait_for_time_and_are_charged_what_they_took(
    client: Everruns, wire: Wire
) -> None:
    capabilities = [{"ref": "bashkit_shell"}, {"ref": "test_math"}]
    session = await wire.session(agent_id=await agent(wire, capabilities=capabilities))
    made = await client.budgets.create("session", session, "seconds", 1)
    turns = [{"tool_calls": [SLEEP, ADD]}, {"text": "Three."}]

    await wire.say(session, scripted("Sleep, and add.", turns=turns))
    before = await wire.until(session, "budget.exhausted")
    paused = await wire.get(f"/sessions/{session}")
    await client.budgets.top_up(made.id, 600)
    resumed = await client.sessions.resume(session)
    events = await wire.to_rest(session)

    assert types(before).count("tool.started") == 1, "what is left was held for the first"
    assert (paused["status"], paused["paused"]) == ("idle", True)
    assert resumed.resumed_budgets == 1
    done = [event.data["tool_name"] for event in events if event.type == "tool.completed"]
    assert done == ["bash", "add"]
    assert types(events)[-2:] == ["turn.completed", "session.idled"]
    ledger = await client.budgets.ledger(made.id)
    assert min(one.amount for one in ledger if one.meter_source == "tool_call") <= -1.5
    assert (await client.budgets.get(made.id)).balance == sum(one.amount for one in ledger)


async def test_an_agent_reads_what_is_left_of_its_budgets(client: Everruns, wire: Wire) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=[{"ref": "budgeting"}]))
    await client.budgets.create("session", session, "calls", 5)
    turns = [{"tool_calls": [CHECK]}, {"text": "Four."}]

    await wire.say(session, scripted("What is left?", turns=turns))
    events = await wire.to_rest(session)

    (done,) = [event.data for event in events if event.type == "tool.completed"]
    assert done["success"], done
    assert '"left":4' in str(done["result"]).replace(" ", "").replace("'", '"')
