"""Guardrails: tried before they are adopted, and at work in a session."""

import asyncio
from typing import cast

import pytest
from everruns_sdk import Everruns

from tests.e2e.flows.surface import proves
from tests.e2e.flows.wire import PATIENCE_S, Json, Wire, scripted
from tests.e2e.rig import LOOK_S

pytestmark = pytest.mark.stack


@proves("capabilities.list_guardrail_examples", "capabilities.dry_run_guardrails")
async def test_an_example_is_tried_without_a_session(client: Everruns) -> None:
    examples = (await client.capabilities.list_guardrail_examples()).examples
    example = next(one for one in examples if one.name == "read-only")
    blocked = await client.capabilities.dry_run_guardrails(
        example.config, "tool_use", "{}", tool_name="write_file"
    )
    passed = await client.capabilities.dry_run_guardrails(
        example.config, "tool_use", "{}", tool_name="read_file"
    )

    assert (example.stages, example.check_types) == (["tool_use"], ["tool_pattern"])
    assert blocked.blocked
    (hit,) = blocked.hits
    assert (hit.check_id, hit.action, hit.matched) == ("writers", "block", "write_file")
    assert (hit.rule_type, hit.reason_code) == ("tool_pattern", "read_only")
    assert (passed.blocked, passed.hits) == (False, [])


async def test_an_answer_a_call_and_an_output_are_held_back(wire: Wire) -> None:
    checks = [
        {"type": "regex", "pattern": "hush", "stages": ["output", "tool_output"]},
        {"type": "tool_pattern", "tools": ["get_forecast"], "stages": ["tool_use"]},
        {"type": "llm_judge", "instructions": "What is forbidden.", "stages": ["output"]},
    ]
    session = await wire.session(
        capabilities=[
            {"ref": "guardrails", "config": {"checks": checks, "fail_closed": True}},
            {"ref": "test_weather"},
        ]
    )
    calls = [
        {"name": "get_forecast", "arguments": {"location": "Oslo"}},
        {"name": "get_weather", "arguments": {"location": "hush"}},
    ]
    turns = [{"tool_calls": calls}, {"text": "This is forbidden."}]
    await wire.say(session, scripted("Weather?", turns=turns))

    frames = await wire.to_rest(session)
    errors = {f.text("tool_name"): f.text("error") for f in frames if f.type == "tool.completed"}
    replaced = [f for f in frames if f.type == "output.message.replaced"]
    shown = await wire.ask("GET", f"/sessions/{session}/messages")
    assert "blocked by a guardrail" in errors["get_forecast"]
    assert "withheld by a guardrail" in errors["get_weather"]
    assert [f.data["reason_code"] for f in replaced] == ["guardrail_llm_judge"]
    assert "(This was withheld by a guardrail.)" in shown.text
    assert frames[-2].type == "turn.completed"


async def test_the_end_of_a_session_is_told_by_a_task_that_says_why_it_could_not(
    wire: Wire,
) -> None:
    inside = {
        "point": "session_end", "type": "webhook", "id": "bye", "url": "http://127.0.0.1/end",
    }  # fmt: skip
    hooks = {"ref": "user_hooks", "config": {"hooks": [inside]}}
    session = await wire.session(capabilities=[hooks])

    await wire.ask("DELETE", f"/sessions/{session}")

    async with asyncio.timeout(PATIENCE_S):
        while not (tasks := await ended(wire)):  # noqa: ASYNC110 -- an end tells who waits for it
            await asyncio.sleep(LOOK_S)
    result = await wire.get(f"/durable/tasks/{tasks[0]['id']}/result")
    assert result["status"] == "failed"
    assert "no public host" in str(result["error"])


async def ended(wire: Wire) -> list[Json]:
    """Tasks that told, or could not tell, of a session's end."""
    page = await wire.get("/durable/tasks?status=closed&limit=100")
    return [one for one in cast("list[Json]", page["data"]) if "session_end" in str(one)]
