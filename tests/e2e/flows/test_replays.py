"""Each prompt of a session is rebuilt from its log, through the whole stack."""

import asyncio
from urllib.parse import urlsplit

import pytest

from mainspring_local import main
from tests.e2e.flows.test_deliveries import rows, until
from tests.e2e.flows.test_forks import forked
from tests.e2e.flows.test_turns import agent
from tests.e2e.flows.wire import Wire, scripted

pytestmark = pytest.mark.stack


async def test_every_recorded_request_is_rebuilt_from_the_log_alone(wire: Wire) -> None:
    who = await agent(wire, capabilities=[{"ref": "test_math"}, {"ref": "current_time"}])
    session = await wire.session(agent_id=who)
    add = {"name": "add", "arguments": {"a": 1, "b": 2}}
    await wire.say(session, scripted("Add.", turns=[{"tool_calls": [add, add]}, {"text": "3"}]))
    await until(wire, session, "session.idled", 1)
    await wire.ask("PATCH", f"/sessions/{session}", {"system_prompt": "Be brief."})
    controls = {"reasoning": {"effort": "low"}}
    await wire.say(session, "And now?", controls=controls)
    await until(wire, session, "session.idled", 2)

    found = await wire.get(f"/sessions/{session}/replay")
    fork = await wire.get(f"/sessions/{await forked(wire, session)}/replay")

    assert [row["status"] for row in rows(found, "calls")] == ["matches"] * 3
    assert found["intact"] is True
    assert rows(fork, "calls") == rows(found, "calls")


async def test_the_command_says_whether_anything_differs(
    base_url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await wire.session()
    await wire.say(session, "Hello")
    await wire.to_rest(session)
    monkeypatch.setenv("MAINSPRING_API_PORT", str(urlsplit(base_url).port))

    asked = [session, f"session_{'0' * 32}"]
    statuses = [await asyncio.to_thread(main.main, ["replay", one]) for one in asked]

    assert statuses == [0, 1]
