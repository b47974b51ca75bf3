"""Agents whose prompt shows less than there is: they look up what they need."""

from typing import cast

import pytest

from tests.e2e.flows.wire import Frame, Json, Wire, scripted

pytestmark = pytest.mark.stack


async def test_an_agent_looks_up_what_its_prompt_does_not_show(wire: Wire) -> None:
    session = await wire.session(
        capabilities=[
            {"ref": "human_intent"},
            {"ref": "infinity_context"},
            {"ref": "test_weather"},
            {"ref": "tool_output_persistence"},
            {"ref": "tool_search", "config": {"tools_min": 2}},
        ]
    )
    search = {"query": "weather at a place", "human_intent": "Looks for a weather tool"}
    calls = [
        {"name": "tool_search", "arguments": search},
        {"name": "query_history", "arguments": {"query": "sesame"}},
    ]
    turns = [{"tool_calls": calls}, {"text": "Done."}]
    await wire.say(session, scripted("Open sesame.", turns=turns))

    frames = await wire.to_rest(session)
    started = [f for f in frames if f.type == "tool.started"]
    results = {f.text("tool_name"): f for f in frames if f.type == "tool.completed"}
    assert [f.data.get("narration") for f in started] == ["Looks for a weather tool", None]
    assert cast("Json", started[0].data["tool_call"])["arguments"] == {"query": search["query"]}
    assert "get_weather" in str(results["tool_search"].data["result"])
    assert "Open sesame." in str(results["query_history"].data["result"])
    assert frames[-2].type == "turn.completed"


async def test_a_conversation_that_outgrows_its_model_is_told_shorter(wire: Wire) -> None:
    rules = {"context_tokens": 5_000}
    session = await wire.session(capabilities=[{"ref": "compaction", "config": rules}])
    frames, seen = list[Frame](), 0
    for text in ("first " * 3_000, "second", "third"):
        await wire.say(session, scripted(text, fixed="Noted. " * 1_000))
        frames += await wire.to_rest(session, f"?after_sequence={seen}")
        seen = frames[-1].sequence or 0

    compacted, *_ = [f for f in frames if f.type == "context.compacted"]
    messages = cast("Json", (await wire.ask("GET", f"/sessions/{session}/messages")).json())
    shown = [m["role"] for m in cast("list[Json]", messages["data"])]
    assert compacted.data["strategy_used"] == "summarization"
    assert "first first" in str(compacted.data["summary"])
    assert shown == ["user", "agent"] * 3
    assert frames[-2].type == "turn.completed"
