"""What providers should not say, and what they should not be told."""

import pytest

from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply, UserMessage
from mainspring_schema.codec import pack
from mainspring_schema.frames import COUNT_MAX
from mainspring_schema.messages import ImagePart, TextPart, ToolCallPart
from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from mainspring_worker.ports.model import Done, TextDelta
from tests.integration.models.anthropic_words import Anthropic
from tests.integration.models.asking import (
    HELLO,
    TOOL,
    each_dialect,
    last,
    read,
    request,
    whole,
)
from tests.integration.models.openai_words import Completions
from tests.integration.models.provider import Answer, Send, provider
from tests.integration.models.said import INPUT_TOKENS, Call, Dialect, Said

FIRST, SECOND = "FIRST", "SECOND"
NAMES = ("functions.add", "", "ä b", "n" * 200)


def halved(dialect: Dialect, said: Said) -> Answer:
    """The answer, in which FIRST and SECOND are the escapes of half a character each."""
    events = (
        event.replace(b"FIRST", b"\\ud83d").replace(b"SECOND", b"\\ude00")
        for event in dialect.events(said)
    )
    return Answer([Send(event) for event in events])


async def answered(driver: ProviderDriver, dialect: Dialect, answer: Answer) -> tuple[str, Done]:
    """The text as it streamed, and the whole answer."""
    async with provider(answer) as fake:
        items = await read(driver, request(dialect, fake, tools=(TOOL,)))
    for item in items:
        pack(item)
    return "".join(item.text for item in items if isinstance(item, TextDelta)), last(items)


@each_dialect
async def test_a_character_in_two_halves_is_one(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    said = Said(texts=("one " + FIRST, SECOND + " two"))

    streamed, done = await answered(drivers[dialect.driver], dialect, halved(dialect, said))

    assert streamed == done.text == "one \N{GRINNING FACE} two"


@each_dialect
@pytest.mark.parametrize("texts", [(FIRST, " two"), ("one ", SECOND), ("one ", FIRST)])
async def test_half_a_character_alone_is_replaced(
    dialect: Dialect, drivers: dict[str, ProviderDriver], texts: tuple[str, ...]
) -> None:
    answer = halved(dialect, Said(texts=texts))

    streamed, done = await answered(drivers[dialect.driver], dialect, answer)

    whole_text = "".join(texts)
    assert streamed == done.text
    assert done.text == whole_text.replace(FIRST, "\ufffd").replace(SECOND, "\ufffd")


@each_dialect
async def test_half_a_character_in_a_call_or_a_thought_ends_nothing(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    call = Call(name=f"add{SECOND}", fragments=('{"a": "', f'{FIRST}"}}'), id=f"id_{FIRST}")
    thinking = (f"so {FIRST}", "then") if dialect.shows_thinking else ()
    said = Said(thinking=thinking, calls=(call,), finish="tool_call")

    _, done = await answered(drivers[dialect.driver], dialect, halved(dialect, said))

    assert [one.name for one in done.tool_calls] == ["add\ufffd"]


async def test_a_usage_beyond_all_bounds_is_kept_within_them(
    drivers: dict[str, ProviderDriver],
) -> None:
    events = [
        event.replace(b'"prompt_tokens":%d' % INPUT_TOKENS, b'"prompt_tokens":1%s' % (b"0" * 25))
        for event in Completions().events(Said(texts=("yes",)))
    ]
    answer = Answer([Send(event) for event in events])

    _, done = await answered(drivers[Completions.driver], Completions(), answer)

    assert INPUT_TOKENS < done.usage.input_tokens < COUNT_MAX


async def test_a_called_name_has_a_bound(drivers: dict[str, ProviderDriver]) -> None:
    said = Said(calls=(Call("n" * 100_000, ("{}",)),), finish="tool_call")

    _, done = await answered(drivers[Completions.driver], Completions(), whole(Completions(), said))

    assert [len(call.name) for call in done.tool_calls] == [128]


async def sent(
    drivers: dict[str, ProviderDriver], dialect: Dialect, messages: tuple[PromptMessage, ...]
) -> str:
    async with provider(whole(dialect, Said(texts=("yes",)))) as fake:
        asked = request(dialect, fake, messages=messages, tools=(TOOL,))
        await read(drivers[dialect.driver], asked)
    return str(fake.asked[0].body["messages"])


@pytest.mark.parametrize("dialect", [Anthropic(), Completions()])
async def test_a_name_that_no_provider_takes_does_not_come_back(
    drivers: dict[str, ProviderDriver], dialect: Dialect
) -> None:
    calls = tuple(
        ToolCallPart(id=f"call_{n}", name=name, arguments={}) for n, name in enumerate(NAMES)
    )
    replies = tuple(
        ToolReply(tool_call_id=f"call_{n}", name=name, text="no such tool", status="error")
        for n, name in enumerate(NAMES)
    )
    answer = AssistantMessage(message_id="message_2", tool_calls=calls)

    body = await sent(drivers, dialect, (*HELLO, answer, *replies))

    assert [f"'name': '{name}'" in body for name in ("functions_add", "_", "__b", "n" * 64)] == [
        True
    ] * 4
    assert not any(f"'name': '{name}'" in body for name in NAMES)


def user(*content: TextPart | ImagePart) -> UserMessage:
    return UserMessage(message_id="message_3", content=content)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (user(TextPart(text=" \n")), "(no text)"),
        (user(TextPart(text="")), "(no text)"),
        (user(TextPart(text=" "), ImagePart(url="https://example.com/a.png")), "a.png"),
    ],
)
async def test_a_message_of_white_space_leaves_a_prompt_that_is_taken(
    drivers: dict[str, ProviderDriver], message: UserMessage, told: str
) -> None:
    body = await sent(drivers, Anthropic(), (*HELLO, message))

    assert told in body
    assert not any(f"'text': {blank!r}" in body for blank in ("", " ", " \n"))


async def test_an_output_of_white_space_is_told_as_none(
    drivers: dict[str, ProviderDriver],
) -> None:
    call = ToolCallPart(id="call_1", name="add", arguments={})
    answer = AssistantMessage(message_id="message_2", text=" ", tool_calls=(call,))
    reply = ToolReply(tool_call_id="call_1", name="add", text="\n")

    body = await sent(drivers, Anthropic(), (*HELLO, answer, reply))

    assert "(no output)" in body
    assert "'text': ' '" not in body


@pytest.mark.parametrize(
    "said", [(), (*HELLO, AssistantMessage(message_id="message_2", text="yes"))]
)
async def test_a_conversation_without_anything_to_answer_is_taken(
    drivers: dict[str, ProviderDriver], said: tuple[PromptMessage, ...]
) -> None:
    body = await sent(drivers, Anthropic(), said)

    assert body.rfind("'role': 'user'") > body.rfind("'role': 'assistant'")
    assert "(no text)" in body
