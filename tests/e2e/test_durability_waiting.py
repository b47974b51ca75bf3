"""Engine and worker die while a turn waits for a person or for a budget: it ends once."""

import asyncio

import httpx
import pytest

from tests.e2e.follower import Json, assert_gapless
from tests.e2e.rig import Rig, Script, calls, turns_of

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ADD = ("add", {"a": 1, "b": 2})
SCRIPT = Script([calls(ADD), {"text": "Three."}])
ASKING: Json = {"ref": "tool_approval", "config": {"mode": "off", "tools": {"add": "ask"}}}


async def opened(rig: Rig, *more: Json) -> str:
    body: Json = {"capabilities": [{"ref": "test_math"}, *more]}
    return str((await rig.call("POST", "/sessions", body))["id"])


async def killed(rig: Rig) -> None:
    """Both at once, and both are there again."""
    await asyncio.gather(*(back() for back in [rig.kill("engine"), rig.kill("worker")]))


async def test_a_waiting_approval_outlives_engine_and_worker_and_is_decided_once(rig: Rig) -> None:
    session = await opened(rig, ASKING)
    async with rig.following(session) as follower:
        await rig.insist(session, SCRIPT.text())
        asked = await follower.until_type("approval.requested")
        before = await rig.results(session)

        await killed(rig)
        decision: Json = {"tool_call_id": asked.text("tool_call_id"), "decision": "allow"}
        body: Json = {"decisions": [decision]}
        first = await rig.call("POST", f"/sessions/{session}/tool-approvals", body)
        again = await rig.call("POST", f"/sessions/{session}/tool-approvals", body)
        outcome = await follower.until_outcome()

    after = await rig.results(session)
    assert again["resolved"] == first["resolved"]  # the turn may have ended meanwhile
    assert outcome.type == "turn.completed"
    assert {key: after[key] for key in before} == before
    assert [len(follower.of(t)) for t in ("tool.started", "tool.completed")] == [1, 1]
    assert len(follower.of("llm.generation")) == 2
    assert_gapless(follower.frames)
    await rig.until_sql(turns_of(session, outcome=0), [["0"]])
    await rig.assert_sound()


async def test_a_paused_turn_outlives_engine_and_worker_and_goes_on_once_it_is_raised(
    rig: Rig,
) -> None:
    session = await opened(rig)
    limit: Json = {
        "subject_type": "session",
        "subject_id": session,
        "currency": "calls",
        "limit": 1,
    }
    budget = await rig.call("POST", "/budgets", limit)
    at = f"/budgets/{budget['id']}"
    async with rig.following(session) as follower:
        await rig.insist(session, SCRIPT.text())
        await follower.until_type("budget.exhausted")
        before = await rig.results(session)

        await killed(rig)
        paused = await rig.call("GET", f"/sessions/{session}")
        early = await rig.call("POST", f"/sessions/{session}/resume", {})
        await rig.call("POST", f"{at}/top-up", {"amount": 3})
        late = await rig.call("POST", f"/sessions/{session}/resume", {})
        outcome = await follower.until_outcome()

    after = await rig.results(session)
    left = (await rig.call("GET", at))["balance"]
    # The others' organization is as it was: no call of theirs looks at a budget.
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.delete(f"{rig.api}{at}")
    assert (paused["status"], paused["paused"]) == ("idle", True)
    assert (early["resumed_budgets"], late["resumed_budgets"]) == (0, 1)
    assert outcome.type == "turn.completed"
    assert {key: after[key] for key in before} == before
    assert (len(follower.of("llm.generation")), left) == (2, 2)
    assert_gapless(follower.frames)
    await rig.until_sql(turns_of(session, outcome=0), [["0"]])
    await rig.assert_sound()
