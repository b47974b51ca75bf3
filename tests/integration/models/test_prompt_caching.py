"""What of a prompt a provider is asked to keep, in the requests as they are sent."""

from itertools import pairwise
from typing import cast

import msgspec
import pytest

from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import TextPart, ToolCallPart
from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from tests.integration.models.anthropic_words import Anthropic
from tests.integration.models.asking import HELLO, TOOL, each_dialect, read, request, whole
from tests.integration.models.provider import provider
from tests.integration.models.said import Dialect, Said

OTHER = ToolDefinition(name="subtract", kind="client_side", description="Subtracts.")
FACTS = FactsMessage(text="<facts>\nIt is noon.\n</facts>")
ACTED: tuple[PromptMessage, ...] = (
    *HELLO,
    FACTS,
    AssistantMessage(
        message_id="message_2",
        text="Let me see.",
        tool_calls=(ToolCallPart(id="call_1", name="add", arguments={"a": 1}),),
    ),
    ToolReply(tool_call_id="call_1", name="add", text="2", status="success"),
)
ASKED_ON: tuple[PromptMessage, ...] = (
    *ACTED,
    AssistantMessage(message_id="message_3", text="It is 2."),
    UserMessage(message_id="message_4", content=(TextPart(text="and then?"),)),
)
Body = dict[str, object]


async def sent(
    dialect: Dialect,
    drivers: dict[str, ProviderDriver],
    messages: tuple[PromptMessage, ...],
    tools: tuple[ToolDefinition, ...] = (TOOL, OTHER),
    system: str = "Be <kind>.",
) -> Body:
    async with provider(whole(dialect, Said(texts=("ok",)))) as fake:
        asked = request(dialect, fake, messages=messages, tools=tools)
        await read(drivers[dialect.driver], msgspec.structs.replace(asked, system=system))
    return fake.asked[0].body


def blocks(body: Body) -> list[Body]:
    """Tools, system prompt and messages, in the order in which a provider keeps them."""
    messages = cast("list[dict[str, list[Body]]]", body["messages"])
    content = [block for message in messages for block in message["content"]]
    system = cast("list[Body]", body.get("system") or [])
    return [*cast("list[Body]", body.get("tools") or []), *system, *content]


def marked(body: Body) -> list[int]:
    return [place for place, block in enumerate(blocks(body)) if "cache_control" in block]


def unmarked(body: Body) -> list[Body]:
    return [
        {name: value for name, value in block.items() if name != "cache_control"}
        for block in blocks(body)
    ]


async def test_the_tools_the_system_prompt_and_the_conversation_are_kept(
    drivers: dict[str, ProviderDriver],
) -> None:
    body = await sent(Anthropic(), drivers, ACTED)

    last = len(blocks(body)) - 1
    assert marked(body) == [1, 2, last]
    assert blocks(body)[1]["name"] == "subtract"
    assert blocks(body)[2]["text"] == "Be <kind>."
    assert blocks(body)[last]["type"] == "tool_result"
    kept = [blocks(body)[place]["cache_control"] for place in marked(body)]
    assert kept == [{"type": "ephemeral", "ttl": "5m"}] * 3


async def test_the_next_call_begins_with_all_that_was_kept(
    drivers: dict[str, ProviderDriver],
) -> None:
    calls = [await sent(Anthropic(), drivers, said) for said in ((*HELLO, FACTS), ACTED, ASKED_ON)]

    for before, after in pairwise(calls):
        kept = unmarked(before)[: marked(before)[-1] + 1]
        assert unmarked(after)[: len(kept)] == kept
        assert marked(after)[-1] > marked(before)[-1]


@pytest.mark.parametrize(
    ("tools", "system", "count"), [((), "Be.", 2), ((TOOL,), "", 2), ((), "", 1)]
)
async def test_what_is_not_there_is_not_marked(
    drivers: dict[str, ProviderDriver],
    tools: tuple[ToolDefinition, ...],
    system: str,
    count: int,
) -> None:
    body = await sent(Anthropic(), drivers, HELLO, tools, system)

    assert len(marked(body)) == count


async def test_an_empty_conversation_end_is_sent_all_the_same(
    drivers: dict[str, ProviderDriver],
) -> None:
    said: tuple[PromptMessage, ...] = (
        *HELLO,
        AssistantMessage(message_id="message_2", text="yes"),
        UserMessage(message_id="message_3", content=(TextPart(text=""),)),
    )

    body = await sent(Anthropic(), drivers, said)

    assert len(marked(body)) <= 4


@each_dialect
async def test_the_others_are_asked_for_nothing_that_they_might_not_know(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    body = await sent(dialect, drivers, ACTED)

    assert ("cache" in str(body)) == isinstance(dialect, Anthropic)
