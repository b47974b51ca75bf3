"""What an agent stores in its session, and secrets that it uses without seeing them."""

from typing import cast

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
