"""Images that tools gave, on their way to a model: beside their results, or not at all."""

from typing import cast

import msgspec
import pytest

from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply
from mainspring_schema.messages import ImagePart, Json, ToolCallPart
from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from tests.integration.models.asking import HELLO, TOOL, each_dialect, read, request, whole
from tests.integration.models.openai_words import Completions
from tests.integration.models.provider import provider
from tests.integration.models.said import Dialect, Said

BASE64 = "iVBORw0KGgoAAAANSUhEUg=="


def conversation() -> tuple[PromptMessage, ...]:
    ids = ("call_1", "call_2")
    image = ImagePart(base64=BASE64, media_type="image/png")
    calls = tuple(ToolCallPart(id=id_, name="add", arguments={}) for id_ in ids)
    replies = [
        ToolReply(tool_call_id=id_, name="add", text=f"drawn for {id_}", images=(image,))
        for id_ in ids
    ]
    return (*HELLO, AssistantMessage(message_id="message_2", tool_calls=calls), *replies)


async def sent(driver: ProviderDriver, dialect: Dialect, *, sees: bool | None) -> Json:
    async with provider(whole(dialect, Said(texts=("yes",)))) as fake:
        asked = request(dialect, fake, messages=conversation(), tools=(TOOL,))
        choice = msgspec.structs.replace(asked.choice, sees=sees)
        await read(driver, msgspec.structs.replace(asked, choice=choice))
    return fake.asked[0].body


@each_dialect
async def test_a_model_that_reads_images_has_those_of_its_tools(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    body = str(await sent(drivers[dialect.driver], dialect, sees=True))

    assert body.count(BASE64) == 2
    assert body.index("drawn for call_1") < body.index("drawn for call_2")


@each_dialect
@pytest.mark.parametrize("sees", [False, None])
async def test_a_model_that_is_not_known_to_read_images_has_their_names_alone(
    dialect: Dialect, sees: bool | None, drivers: dict[str, ProviderDriver]
) -> None:
    body = str(await sent(drivers[dialect.driver], dialect, sees=sees))

    assert BASE64 not in body
    assert "drawn for call_2" in body


async def test_results_follow_their_calls_before_any_image(
    drivers: dict[str, ProviderDriver],
) -> None:
    """Providers of that dialect refuse whatever stands between a call and its result."""
    body = await sent(drivers[Completions.driver], Completions(), sees=True)

    roles = [message["role"] for message in cast("list[Json]", body["messages"])]
    assert roles == ["system", "user", "assistant", "tool", "tool", "user"]
