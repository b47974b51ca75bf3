"""Calls that wait for people, through the whole stack and through the SDK's client of a channel."""

import asyncio
from typing import cast

import pytest
from everruns_sdk import AgentClient, Everruns

from tests.e2e.flows.sdk import PATIENCE_S
from tests.e2e.flows.surface import proves
from tests.e2e.flows.test_turns import agent
from tests.e2e.flows.wire import Json, Wire, scripted

pytestmark = pytest.mark.stack

ASKING: Json = {"ref": "tool_approval", "config": {"mode": "off", "tools": {"add": "ask"}}}
CAPABILITIES = [{"ref": "test_math"}, {"ref": "ask_user"}, ASKING]
ADD: Json = {"name": "add", "arguments": {"a": 1, "b": 2}}
QUESTION: Json = {
    "id": "colour",
    "question": "Which?",
    "type": "choice",
    "options": ["red", "blue"],
}
ASK: Json = {"name": "ask_user", "arguments": {"questions": [QUESTION]}}


async def test_an_edited_call_is_made_as_it_was_edited_and_the_tool_is_asked_for_once(
    wire: Wire,
) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=CAPABILITIES))
    turns = [{"tool_calls": [ADD]}, {"tool_calls": [ADD]}, {"text": "Sums."}]
    await wire.say(session, scripted("Add.", turns=turns))
    told = (await wire.until(session, "approval.requested"))[-1]
    waiting = await wire.get(f"/sessions/{session}")

    decision = {
        "tool_call_id": told.text("tool_call_id"),
        "decision": "allow_always",
        "arguments": {"a": 40, "b": 2},
    }
    answers = [
        await wire.ask("POST", f"/sessions/{session}/tool-approvals", {"decisions": [decision]})
        for _ in range(2)
    ]
    frames = await wire.to_rest(session)

    assert waiting["status"] == "waitingfortoolresults"
    assert [one.json()["resolved"][0]["outcome"] for one in answers] == ["allowed", "allowed"]
    results = [frame.data["result"] for frame in frames if frame.type == "tool.completed"]
    texts = [str(cast("list[Json]", result)[0]["text"]) for result in results]
    assert ["42" in texts[0], "3" in texts[1]] == [True, True]
    assert [frame.type for frame in frames].count("approval.requested") == 1
    assert frames[-2].type == "turn.completed"


@proves("channel.answer_questions", "channel.submit_tool_approvals")
async def test_a_caller_of_a_channel_answers_and_decides(client: Everruns, wire: Wire) -> None:
    agent_id = await agent(wire, capabilities=CAPABILITIES)
    channel = await wire.make(f"/agents/{agent_id}/channels", {"delegates_approvals": True})
    (key,) = cast("list[Json]", channel["keys"])
    url = f"{wire.api}/channels/{channel['id']}"
    both = scripted("Both.", turns=[{"tool_calls": [ADD, ASK]}, {"text": "Done."}])

    async with asyncio.timeout(PATIENCE_S), AgentClient(url, str(key["key"])) as app:
        session = str((await app.create_session())["id"])
        await app.send_message(session, both)
        await wire.until(session, "question.asked")
        before = await app.get_session(session)
        (asked,), (held,) = before["pending_questions"], before["pending_approvals"]
        body = {"answers": [{"id": "colour", "selected": ["red"]}]}
        answered = await app.answer_questions(session, body)
        rejected = {"tool_call_id": held["tool_call_id"], "decision": "reject"}
        decided = await app.submit_tool_approvals(session, {"decisions": [rejected]})
        frames = await wire.to_rest(session)
        after = await app.get_session(session)

    assert asked["questions"][0]["options"] == ["red", "blue"]
    assert (answered["status"], answered["answered_by"]) == ("answered", "user")
    assert decided["resolved"][0]["outcome"] == "rejected"
    assert (after["pending_questions"], after["pending_approvals"]) == ([], [])
    statuses = {
        f.text("tool_name"): f.data["success"] for f in frames if f.type == "tool.completed"
    }
    assert statuses == {"add": False, "ask_user": True}
    assert frames[-2].type == "turn.completed"
