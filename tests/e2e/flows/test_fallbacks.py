"""Models that answer where another one does not."""

from typing import cast

import pytest

from mainspring_kernel.ids import LLMSIM_MODEL_ID, Prefix, to_wire
from tests.e2e.flows.wire import Json, Wire, scripted, unique

pytestmark = pytest.mark.stack


async def made(wire: Wire, what: str, **body: object) -> Json:
    answer = await wire.ask("POST", f"/{what}", body)
    assert answer.status_code == 201, answer.text
    return cast("Json", answer.json())


async def test_a_fallback_answers_anew_where_the_first_model_broke_off(wire: Wire) -> None:
    provider = await made(wire, "providers", name=unique("fallback"), provider_type="llmsim")
    behind = [to_wire(Prefix.MODEL, LLMSIM_MODEL_ID)]
    model = await made(
        wire, "models", provider_id=provider["id"], model_id="first", fallback_model_ids=behind
    )
    session = await wire.session(model_id=model["id"])
    cut = {"kind": "authentication", "after_chars": 9, "attempts": 1}
    await wire.say(session, scripted("Go.", turns=[{"text": "The whole answer.", "error": cut}]))

    frames = await wire.to_rest(session)

    (answer,) = [frame for frame in frames if frame.type == "output.message.completed"]
    message = cast("dict[str, list[Json]]", answer.data["message"])
    assert message["content"][0]["text"] == "The whole answer."
    assert cast("Json", answer.data["metadata"])["model_id"] == behind[0]
    assert [frame.type for frame in frames].count("llm.generation") == 1


async def test_a_chain_is_walked_to_its_end_and_a_stream_never_mixes_two_answers(
    wire: Wire,
) -> None:
    """Each of the first two breaks off in mid answer, and people have seen what it said."""
    provider = await made(wire, "providers", name=unique("chain"), provider_type="llmsim")
    behind = [to_wire(Prefix.MODEL, LLMSIM_MODEL_ID)]
    for name in ("second", "first"):
        model = await made(
            wire, "models", provider_id=provider["id"], model_id=name, fallback_model_ids=behind
        )
        behind = [str(model["id"]), *behind]
    session = await wire.session(model_id=behind[0])
    text = "The whole answer, " * 40 + "is this."
    cut = {"kind": "authentication", "after_chars": 300, "attempts": 2}
    turns = [{"text": text, "error": cut}]
    await wire.say(session, scripted("Go.", turns=turns, latency={"ttft_ms": 0, "token_ms": 10}))

    frames = await wire.to_rest(session)

    (answer,) = [frame for frame in frames if frame.type == "output.message.completed"]
    message = cast("dict[str, list[Json]]", answer.data["message"])
    assert message["content"][0]["text"] == text
    assert cast("Json", answer.data["metadata"])["model_id"] == behind[-1]
    recovered = [frame.data for frame in frames if frame.type == "reason.recovered"]
    assert len(recovered) == 2
    shown = ""
    for frame in frames:
        if frame.type == "reason.recovered":
            shown = ""
        if frame.type == "output.message.delta":
            shown += frame.text("delta")
            assert frame.text("accumulated") == shown
            assert text.startswith(shown)
    assert shown == text
