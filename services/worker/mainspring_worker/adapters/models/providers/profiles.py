"""What is known of a model beside its provider's list: prices and sizes, and what it can do."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.profiles.anthropic import anthropic_model_profile
from pydantic_ai.profiles.google import google_model_profile
from pydantic_ai.profiles.openai import openai_model_profile

from mainspring_schema.agents import ModelChoice
from mainspring_schema.messages import Json
from mainspring_worker.adapters.models.providers.driver import DriverName
from mainspring_worker.ports.model import OfferRequest

_Able = Callable[[str], ModelProfile | None]
_KNOWN: Final[dict[DriverName, tuple[str, _Able]]] = {
    "openai": ("openai", openai_model_profile),
    "openai_completions": ("openai", openai_model_profile),
    "anthropic": ("anthropic", anthropic_model_profile),
    "gemini": ("google", google_model_profile),
}
_OF_OPENAI: Final = ("openai_supports_reasoning", "anthropic_disallows_sampling_settings")
"""Models of these take no temperature."""
_BLIND: Final = ("gpt-3.5", "gpt-4-0", "o1-mini", "o1-preview", "o3-mini")
"""Models that read text alone; every newer one of the three reads images."""


def known(
    name: DriverName, model: str, request: OfferRequest, *, output_tokens: int | None
) -> Json | None:
    """The profile that the catalogue keeps; None for a model that nobody has described.

    At an address of one's own a name may mean another model at another price: then it is looked up
    under the provider that is known to live there.
    """
    house, able = _KNOWN[name]
    provider_id = house if request.base_url is None else None
    try:
        _, info = data_snapshot.get_snapshot().find_provider_model(
            model, None, provider_id, request.base_url
        )
    except LookupError:
        return None
    profile = _abilities(able(model) or {}) | {
        "name": info.name or model, "family": info.id, "attachment": _sees(model, request.base_url),
    }  # fmt: skip
    output = output_tokens or _output_of(able(model) or {})
    if info.context_window and output:
        profile["limits"] = {"context": info.context_window, "output": output}
    cost = _cost(info, datetime.fromtimestamp(request.now_ms / 1000, UTC))
    return profile if cost is None else profile | {"cost": cost}


def reads_images(choice: ModelChoice) -> bool:
    """By the model's profile, where it has one."""
    return _sees(choice.model, choice.base_url) if choice.sees is None else choice.sees


def _sees(model: str, base_url: str | None) -> bool:
    """At an address of one's own anything may answer to the name."""
    return base_url is None and not model.startswith(_BLIND)


def _abilities(able: Mapping[str, object]) -> Json:
    return {
        "open_weights": False,
        "reasoning": bool(able.get("supports_thinking")),
        "structured_output": bool(able.get("supports_json_schema_output")),
        "temperature": not any(able.get(rule) for rule in _OF_OPENAI),
        "tool_call": bool(able.get("supports_tools", True)),
    }


def _output_of(able: Mapping[str, object]) -> int | None:
    found = able.get("anthropic_max_output_tokens")
    return found if isinstance(found, int) else None


def _cost(info: ModelInfo, at: datetime) -> Json | None:
    prices: ModelPrice = info.get_prices(at)
    paid = {
        "input": _dollars(prices.input_mtok),
        "output": _dollars(prices.output_mtok),
        "cache_read": _dollars(prices.cache_read_mtok),
        "cache_write": _dollars(prices.cache_write_mtok),
    }
    if paid["input"] is None or paid["output"] is None:
        return None
    return {name: price for name, price in paid.items() if price is not None}


def _dollars(price: Decimal | TieredPrices | None) -> float | None:
    """For a million tokens, of a prompt of usual length: long ones may cost more."""
    if price is None:
        return None
    return float(price.base if isinstance(price, TieredPrices) else price)
