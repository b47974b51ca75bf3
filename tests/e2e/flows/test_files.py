"""A model at work on the files of its workspace, and people who look at the same files."""

from typing import cast

import pytest

from tests.e2e.flows.wire import Json, Wire, scripted

pytestmark = pytest.mark.stack


async def test_files_of_a_turn_are_the_files_of_the_session(wire: Wire) -> None:
    session = await wire.session(
        capabilities=[{"ref": "session_file_system"}],
        initial_files=[{"path": "/notes.txt", "content": "the answer is 41\n"}],
    )
    write = {"name": "write_file", "arguments": {"path": "src/a.py", "content": "print(1)\n"}}
    grep = {"name": "grep", "arguments": {"pattern": "answer is [0-9]+"}}
    outside = {"name": "read_file", "arguments": {"path": "../../etc/passwd"}}
    turns = [{"tool_calls": [write, grep, outside]}, {"text": "Done."}]
    await wire.say(session, scripted("Work.", turns=turns))

    frames = await wire.to_rest(session)
    results = {f.text("tool_name"): f for f in frames if f.type == "tool.completed"}
    read = await wire.ask("GET", f"/sessions/{session}/fs/src/a.py")
    (found,) = cast("list[Json]", results["grep"].data["result"])
    assert frames[-2].type == "turn.completed"
    assert cast("Json", read.json())["content"] == "print(1)\n"
    assert "the answer is 41" in str(found["text"])
    assert results["read_file"].data["success"] is False


async def test_a_model_that_repeats_itself_is_told_and_then_ended(wire: Wire) -> None:
    session = await wire.session(capabilities=[{"ref": "test_weather"}, {"ref": "loop_detection"}])
    again = {"tool_calls": [{"name": "get_weather", "arguments": {"location": "Oslo"}}]}
    await wire.say(session, scripted("Weather?", turns=[again] * 8))

    frames = await wire.to_rest(session)
    outcomes = [f.data["success"] for f in frames if f.type == "tool.completed"]
    assert outcomes[:3] == [True, True, False]
    assert any(f.type == "turn.failed" for f in frames)
    assert len(outcomes) < 8


async def test_agents_md_stands_before_the_prompt_as_it_was_when_the_message_came(
    wire: Wire,
) -> None:
    session = await wire.session(
        capabilities=[{"ref": "agent_instructions"}],
        initial_files=[{"path": "/AGENTS.md", "content": "Say please."}],
    )
    shown = await wire.ask("GET", f"/sessions/{session}/preview")
    await wire.say(session, "Hello")
    frames = await wire.to_rest(session)

    prompt = str(cast("Json", shown.json())["system_prompt"])
    assert prompt.startswith('<agent-instructions source="AGENTS.md">\nSay please.')
    assert frames[-2].type == "turn.completed"
