"""What an agent keeps in its session: values, secrets it does not see, messages for later."""

from typing import cast

import msgspec
import pytest

from tests.e2e.flows.wire import Json, Wire, scripted

pytestmark = pytest.mark.stack


async def test_values_are_seen_by_people_and_secrets_by_nobody(wire: Wire) -> None:
    session = await wire.session(capabilities=[{"ref": "session_storage"}])
    at = f"/sessions/{session}/storage"
    await wire.ask("PUT", f"{at}/secrets", {"secrets": {"TOKEN": "hush-hush"}})
    calls = [
        {"name": "kv_store", "arguments": {"action": "set", "key": "city", "value": "Oslo"}},
        {"name": "secret_store", "arguments": {"action": "list"}},
        {"name": "secret_store", "arguments": {"action": "get", "name": "TOKEN"}},
    ]
    await wire.say(session, scripted("Work.", turns=[{"tool_calls": calls}, {"text": "Done."}]))

    frames = await wire.to_rest(session)
    values = cast("Json", (await wire.ask("GET", f"{at}/keys")).json())
    (value,) = cast("list[Json]", values["data"])
    outcomes = [f.data["success"] for f in frames if f.type == "tool.completed"]
    assert sorted(outcomes, key=bool) == [False, True, True]
    assert (value["key"], value["value"]) == ("city", "Oslo")
    assert "hush-hush" not in str([f.data for f in frames])


async def test_an_agent_sends_itself_a_message_by_a_schedule_of_its_own(wire: Wire) -> None:
    session = await wire.session(capabilities=[{"ref": "session_schedule"}])
    later = {"message": "Look again.", "every_minutes": 600}
    calls = [{"name": "create_schedule", "arguments": later}]
    await wire.say(session, scripted("Later.", turns=[{"tool_calls": calls}, {"text": "Done."}]))
    before = await wire.to_rest(session)
    (made,) = [f for f in before if f.type == "tool.completed"]
    (text,) = cast("list[Json]", made.data["result"])
    schedule = cast("Json", msgspec.json.decode(str(text["text"])))["schedule_id"]

    await wire.ask("POST", f"/durable/schedules/{schedule}/trigger", {})
    after = await wire.to_rest(session, f"?after_sequence={before[-1].sequence}")
    (came,) = [f for f in after if f.type == "input.message"]
    gone = await wire.ask("DELETE", f"/durable/schedules/{schedule}")
    assert "Look again." in str(came.data["message"])
    assert after[-2].type == "turn.completed"
    assert gone.status_code == 204
