import sys

import pytest
from msgspec import structs

from mainspring_kernel.clock import ManualClock
from mainspring_schema.agents import NO_DRIVER
from mainspring_worker.adapters.models.catalogue import KEYLESS, drivers
from mainspring_worker.ports.failures import Kind
from mainspring_worker.ports.model import Credentials, ModelFailure
from tests.unit.models.calls import failure, request, said


async def test_an_unknown_driver_says_which_there_are() -> None:
    with pytest.raises(ModelFailure, match="llmsim, openai") as caught:
        drivers(ManualClock()).named("eliza")

    assert caught.value.failure.code == "model_not_available"


def test_a_model_nobody_knows_is_told_as_that() -> None:
    with pytest.raises(ModelFailure, match="no such model is configured") as caught:
        drivers(ManualClock()).named(NO_DRIVER)

    assert caught.value.failure.code == "model_not_available"


async def test_a_driver_is_made_once() -> None:
    made = drivers(ManualClock())

    assert made.named("llmsim") is made.named("llmsim")
    await made.aclose()
    await made.aclose()


@pytest.mark.parametrize("name", ["openai", "openai_completions", "anthropic", "gemini"])
async def test_a_missing_key_is_told_before_anything_is_loaded(name: str) -> None:
    loaded = "pydantic_ai" in sys.modules
    driver = drivers(ManualClock()).named(name)

    failed = await failure(driver, request(said("hi")))

    assert (failed.failure.error_class, failed.failure.code) == ("auth", "provider_misconfigured")
    assert ("pydantic_ai" in sys.modules) is loaded


def test_only_what_is_no_real_model_needs_no_key() -> None:
    assert {"llmsim", "relay"} == KEYLESS


def test_credentials_show_nothing() -> None:
    asked = request(said("hi"))
    asked = structs.replace(asked, credentials=Credentials(api_key="k-1", headers={"x": "k-2"}))

    assert "k-1" not in repr(asked)
    assert "k-2" not in repr(asked)


def test_codes_are_told_apart() -> None:
    assert len({kind.code for kind in Kind}) == len(Kind)
