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
