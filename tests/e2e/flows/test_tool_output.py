"""What a tool writes is seen while it is at work, once, in order, also by who comes back."""

from typing import cast

import pytest

from tests.e2e.flows.wire import Frame, Json, Wire, scripted

pytestmark = pytest.mark.stack
COUNT = 4
SCRIPT = f"for i in 1 2 3 {COUNT}; do echo line $i; echo aside $i >&2; sleep 0.6; done"


async def counted(wire: Wire) -> tuple[str, list[Frame]]:
    session = await wire.session(capabilities=[{"ref": "bashkit_shell"}])
    call = {"name": "bash", "arguments": {"commands": SCRIPT}}
    await wire.say(session, scripted("Count.", turns=[{"tool_calls": [call]}, {"text": "Done."}]))
    return session, await wire.to_rest(session)


def shown(frames: list[Frame], stream: str) -> str:
    deltas = [frame for frame in frames if frame.type == "tool.output.delta"]
    return "".join(frame.text("delta") for frame in deltas if frame.text("stream") == stream)


async def test_what_a_script_prints_is_seen_before_it_ends(wire: Wire) -> None:
    session, frames = await counted(wire)

    types = [frame.type for frame in frames]
    first, end = types.index("tool.output.delta"), types.index("tool.completed")
    assert types.index("tool.output.started") < first < end
    assert "tool.output.delta" not in types[end:]
    done = frames[end]
    printed = cast("list[Json]", done.data["result"])[0]["text"]
    assert "line 4" in str(printed)
    assert shown(frames, "stdout") == "".join(f"line {n}\n" for n in range(1, COUNT + 1))
    assert shown(frames, "stderr") == "".join(f"aside {n}\n" for n in range(1, COUNT + 1))
    delta = frames[first]
    assert delta.text("tool_name") == "bash"
    assert delta.text("tool_call_id") == done.text("tool_call_id")
    assert delta.sequence is None

    # Whoever comes back in the middle gets the rest, and nothing twice.
    again = await wire.to_rest(session, f"?since_id={delta.frame_id}")
    assert [frame.frame_id for frame in again] == [frame.frame_id for frame in frames[first + 1 :]]
