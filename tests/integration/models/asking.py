"""Asks a driver for an answer of the fake provider."""

from collections.abc import Sequence
from contextlib import aclosing
from uuid import UUID

import pytest

from mainspring_harness.conversation import PromptMessage, UserMessage
from mainspring_schema.agents import ModelChoice, ToolDefinition
from mainspring_schema.messages import TextPart
from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from mainspring_worker.ports.model import (
    Credentials,
    Deadlines,
    Done,
    ModelFailure,
    ModelItem,
    ModelRequest,
)
from tests.integration.models.dialects import DIALECTS
from tests.integration.models.provider import Answer, Cut, Provider, Send, Stall
from tests.integration.models.said import Dialect, Said


def name_of(dialect: Dialect) -> str:
    return dialect.driver


KEY = "sk-very-secret"
TOOL = ToolDefinition(
    name="add",
    kind="client_side",
    description="Adds.",
    parameters={"type": "object", "properties": {"a": {"type": "number", "minimum": 0}}},
)
HELLO: tuple[PromptMessage, ...] = (
    UserMessage(message_id="message_1", content=(TextPart(text="hello"),)),
)

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)


def request(
    dialect: Dialect,
    fake: Provider,
    *,
    messages: tuple[PromptMessage, ...] = HELLO,
    deadlines: Deadlines | None = None,
    key: str | None = KEY,
    tools: tuple[ToolDefinition, ...] = (),
    effort: str | None = None,
) -> ModelRequest:
    base = "/v1" if dialect.driver.startswith("openai") else ""
    return ModelRequest(
        choice=ModelChoice(
            model_id="model_1",
            model=dialect.model,
            provider_id="provider_1",
            driver=dialect.driver,
            provider="Fake",
            base_url=fake.url + base,
        ),
        system="Be <kind>.",
        messages=messages,
        tools=tools,
        reasoning_effort=effort,
        deadlines=deadlines or Deadlines(),
        turn_id=UUID(int=1),
        credentials=Credentials(api_key=key),
    )


async def read(driver: ProviderDriver, asked: ModelRequest) -> list[ModelItem]:
    async with aclosing(driver.stream(asked)) as items:
        return [item async for item in items]


async def fail(driver: ProviderDriver, asked: ModelRequest) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        await read(driver, asked)
    return caught.value


def whole(dialect: Dialect, said: Said) -> Answer:
    return Answer([Send(event) for event in dialect.events(said)])


def begun(dialect: Dialect, then: Sequence[Send | Cut | Stall]) -> Answer:
    """The first half of an answer, then something else."""
    events = list(dialect.events(Said(texts=("one ", "two ", "three ", "four "))))
    return Answer([*(Send(event) for event in events[:4]), *then])


def last(items: list[ModelItem]) -> Done:
    done = items[-1]
    assert isinstance(done, Done)
    return done
