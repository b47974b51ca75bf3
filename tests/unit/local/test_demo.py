import io
from typing import cast

import msgspec
import pytest

from mainspring_local import demo
from mainspring_local.client import Api, Event
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem


class Catalogue:
    """Has the simulator's two models and one of a real provider."""

    async def list(self, path: str, item: type[demo.Model]) -> list[demo.Model]:
        assert path == "/models"
        return [
            item(id="m1", model_id="llmsim", provider_type="llmsim"),
            item(id="m2", model_id=demo.SIMULATOR_MODEL, provider_type="llmsim"),
            item(id="m3", model_id="gpt", provider_type="openai", provider_name="OpenAI"),
        ]


API = cast("Api", cast("object", Catalogue()))


@pytest.mark.parametrize(("provider", "model"), [("llmsim", "m2"), ("openai", "m3")])
async def test_the_model_is_of_the_provider_that_was_asked_for(provider: str, model: str) -> None:
    assert await demo.choose_model(API, provider) == model


@pytest.mark.parametrize(("code", "advised"), [(demo.MISCONFIGURED, True), ("poison", False)])
def test_a_turn_without_a_key_is_told_which_to_set(code: str, *, advised: bool) -> None:
    shown = io.StringIO()
    data = {"error": msgspec.Raw(b'"no key"'), "error_code": msgspec.Raw(f'"{code}"'.encode())}

    demo.Printer(Console(shown)).show(Event(id="e", type="turn.failed", data=data))

    assert ("OPENAI_API_KEY" in shown.getvalue()) is advised


async def test_an_unknown_provider_is_told_which_there_are() -> None:
    with pytest.raises(StartProblem, match=r"no provider eliza; .* one of llmsim, openai"):
        await demo.choose_model(API, "eliza")
