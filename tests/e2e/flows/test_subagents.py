"""An agent that gives work to children: they end before it goes on, or go on without it."""

import json
from typing import cast

import pytest

from tests.e2e.flows.wire import Json, Wire, scripted

pytestmark = pytest.mark.stack
SUBAGENTS: Json = {"ref": "subagents"}
FENCE = 3 * "\\u0060"


def spawning(instructions: str, *, mode: str = "foreground") -> str:
    arguments: Json = {"name": "look", "instructions": instructions, "mode": mode}
    calls = [{"name": "spawn_agent", "arguments": arguments}]
    script = json.dumps({"turns": [{"tool_calls": calls}, {"text": "Done."}]})
    # The child's own script stands in its parent's, whose block would end where that one begins.
    return f"Work.\n```llmsim\n{script.replace('```', FENCE)}\n```"


async def tasks(wire: Wire, session: str) -> list[Json]:
    answer = await wire.ask("GET", f"/sessions/{session}/tasks")
    return cast("list[Json]", cast("Json", answer.json())["data"])


async def test_a_foreground_child_answers_its_parent(wire: Wire) -> None:
    session = await wire.session(capabilities=[SUBAGENTS])
    child_says = scripted("Find it.", turns=[{"text": "It was under the sofa."}])

    await wire.say(session, spawning(child_says))
    frames = await wire.to_rest(session)

    (done,) = [frame for frame in frames if frame.type == "tool.completed"]
    (task,) = await tasks(wire, session)
    assert done.data["success"] is True
    assert "under the sofa" in str(done.data["result"])
    assert (task["state"], task["summary"]) == ("succeeded", "It was under the sofa.")
    links = cast("Json", task["links"])
    child = await wire.get(f"/sessions/{links['child_session_id']}")
    assert child["parent_session_id"] == session
    assert frames[-2].type == "turn.completed"


async def test_cancelling_a_parent_ends_its_child(wire: Wire) -> None:
    session = await wire.session(capabilities=[SUBAGENTS])
    stalls = scripted("Find it.", turns=[{"text": "Never said.", "stall": {"after_chars": 1}}])
    await wire.say(session, spawning(stalls, mode="background"))
    await wire.to_rest(session)
    (task,) = await tasks(wire, session)
    child = str(cast("Json", task["links"])["child_session_id"])

    await wire.ask("POST", f"/sessions/{session}/cancel", {})
    frames = await wire.to_rest(child)

    assert "turn.cancelled" in [frame.type for frame in frames]
    (ended,) = await tasks(wire, session)
    assert (task["state"], ended["state"]) == ("running", "canceled")
