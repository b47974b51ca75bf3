"""Models that answer badly: who is told what, and that the session is usable at once."""

import json

import pytest

from tests.e2e.flows.wire import Frame, Json, Wire, scripted, types

pytestmark = pytest.mark.stack

MATH: Json = {"ref": "test_math"}
ADD: Json = {"name": "add", "arguments": {"a": 1, "b": 2}}
HALF: Json = {"name": "add", "raw": '{"a": 1, "b"'}


async def turn(wire: Wire, session: str, text: str) -> list[Frame]:
    """What a turn tells; the one before it has ended."""
    events = await wire.events(session)
    since = events[-1].sequence or 0
    await wire.say(session, text)
    return await wire.to_rest(session, f"?after_sequence={since}")


async def goes_on(wire: Wire, session: str) -> None:
    """The very next message is answered."""
    frames = await turn(wire, session, scripted("Still there?", fixed="Yes."))
    assert types(frames)[-2:] == ["turn.completed", "session.idled"]


def results(frames: list[Frame]) -> list[tuple[bool, str]]:
    done = [frame.data for frame in frames if frame.type == "tool.completed"]
    return [(bool(data["success"]), json.dumps(data.get("error"))) for data in done]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (HALF, "not valid JSON"),
        ({"name": "add", "raw": "[1, 2]"}, "invalid arguments"),
        ({"name": "add", "arguments": {"a": "one", "b": 2}}, "invalid arguments"),
        ({"name": "no_such", "arguments": {}}, "unknown tool"),
        ({"name": "", "arguments": {}}, "unknown tool"),
    ],
    ids=["half JSON", "no object", "wrong types", "no such tool", "no name"],
)
async def test_a_malformed_call_is_told_to_the_model_which_may_do_better(
    wire: Wire, call: Json, told: str
) -> None:
    session = await wire.session(capabilities=[MATH])
    turns = [{"tool_calls": [call]}, {"tool_calls": [ADD]}, {"text": "Three."}]

    frames = await turn(wire, session, scripted("Add.", turns=turns))

    (bad, why), (good, _) = results(frames)
    assert (bad, good) == (False, True)
    assert told in why
    assert frames[-2].type == "turn.completed"
    await goes_on(wire, session)


async def test_a_model_that_never_calls_well_is_ended(wire: Wire) -> None:
    session = await wire.session(capabilities=[MATH])

    frames = await turn(wire, session, scripted("Add.", turns=[{"tool_calls": [HALF]}]))

    (failed,) = [frame for frame in frames if frame.type == "turn.failed"]
    assert failed.text("error_code") == "model_output"
    assert types(frames).count("reason.started") == 3
    assert not any(success for success, _ in results(frames))
    await goes_on(wire, session)


async def test_calls_that_are_alike_are_calls_of_their_own(wire: Wire) -> None:
    session = await wire.session(capabilities=[MATH])
    turns = [{"tool_calls": [ADD, ADD]}, {"text": "Three, twice."}]

    frames = await turn(wire, session, scripted("Add.", turns=turns))

    ids = [frame.text("tool_call_id") for frame in frames if frame.type == "tool.completed"]
    assert len(set(ids)) == len(ids) == 2
    assert [success for success, _ in results(frames)] == [True, True]
    await goes_on(wire, session)


async def test_an_empty_answer_is_told_to_the_model_and_its_next_one_counts(wire: Wire) -> None:
    session = await wire.session()

    frames = await turn(wire, session, scripted("Say something.", empty=True))

    (answer,) = [frame for frame in frames if frame.type == "output.message.completed"]
    assert "simulated LLM" in json.dumps(answer.data["message"])
    assert frames[-2].type == "turn.completed"


async def test_a_model_that_says_nothing_at_all_ends_its_turn(wire: Wire) -> None:
    session = await wire.session(system_prompt=scripted("", empty=True))

    frames = await turn(wire, session, "Say something.")

    (failed,) = [frame for frame in frames if frame.type == "turn.failed"]
    assert failed.text("error_code") == "invalid_model_output"
    await goes_on(wire, session)
