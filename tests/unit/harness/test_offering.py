"""Tools that are only named until the agent looks for them; calls that say what they are for."""

from typing import cast
from uuid import UUID

from msgspec import structs

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.capability import Applied
from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply
from mainspring_harness.offering import found, offered
from mainspring_harness.toolset import AskedCall, resolve_calls, tool_set
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.codec import to_json
from mainspring_schema.messages import Json, ToolCallPart

OWN = tuple(
    ToolDefinition(
        name=f"own_{n}",
        description=f"Does {word}. And more of it.",
        parameters={"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    )
    for n, word in enumerate(("billing", "shipping", "returns"))
)


def applied(*refs: CapabilityRef) -> tuple[Applied, ...]:
    return builtin_registry().resolve(refs)


SEARCHING = applied(CapabilityRef(ref="tool_search", config={"tools_min": 3}))
TOOLS = tool_set(OWN, SEARCHING)


def searched(*names: str) -> list[PromptMessage]:
    text = to_json({"tools": [{"name": name} for name in names]}).decode()
    return [ToolReply(tool_call_id="c", name="tool_search", text=text)]


def in_full(messages: list[PromptMessage]) -> list[str]:
    shown = offered(TOOLS, SEARCHING, messages)
    return [tool.name for tool in shown if tool.parameters.get("properties")]


def test_tools_that_nobody_looked_for_are_only_named() -> None:
    stub = offered(TOOLS, SEARCHING, [])[0]

    assert in_full([]) == ["tool_search"]
    assert (stub.name, stub.description) == ("own_0", "Does billing.")
    assert stub.full_parameters == OWN[0].parameters


def test_what_was_found_or_called_is_shown_in_full_from_then_on() -> None:
    called = AssistantMessage(
        message_id="m", tool_calls=(ToolCallPart(id="c", name="own_2", arguments={}),)
    )

    assert in_full([*searched("own_1"), called]) == ["own_1", "own_2", "tool_search"]
    assert in_full([ToolReply(tool_call_id="c", name="tool_search", text="[1]")]) == ["tool_search"]


def test_few_tools_or_no_search_show_everything() -> None:
    few = applied(CapabilityRef(ref="tool_search"))

    assert offered(TOOLS, few, []) == tuple(one.definition for one in TOOLS.values())
    assert offered(tool_set(OWN, ()), (), []) == OWN


def test_a_call_of_a_tool_that_is_only_named_is_checked_all_the_same() -> None:
    good, bad = resolve_calls(
        [AskedCall("own_0", '{"a": "x"}'), AskedCall("own_0", "{}")],
        TOOLS, turn_id=UUID(int=1), iteration=1,
    )  # fmt: skip

    assert good.problem is None
    assert bad.problem is not None
    assert '"a" is a required property' in bad.problem


def test_tools_are_found_by_name_and_by_words() -> None:
    assert [tool.name for tool in found("own_2", OWN, limit=5)] == ["own_2"]
    assert [tool.name for tool in found("shipping please", OWN, limit=5)] == ["own_1"]
    assert [tool.name for tool in found("does it", OWN, limit=2)] == ["own_0", "own_1"]
    assert found("nonsense", OWN, limit=5) == []


def test_a_letter_alone_finds_nothing() -> None:
    subtracts = structs.replace(OWN[0], description="Subtracts b from a.")

    assert found("tomorrow's weather at a place", [subtracts], limit=5) == []


def test_a_call_says_what_it_is_for_and_its_tool_does_not_see_it() -> None:
    tools = tool_set(OWN, applied(CapabilityRef(ref="human_intent")))
    told, silent, broken = resolve_calls(
        [
            AskedCall("own_0", '{"a": "x", "human_intent": " Looks  up\\nthe bill "}'),
            AskedCall("own_0", '{"a": "x"}'),
            AskedCall("own_0", "[1]"),
        ],
        tools, turn_id=UUID(int=1), iteration=1,
    )  # fmt: skip

    assert list(cast("Json", tools["own_0"].definition.parameters["properties"])) == [
        "human_intent",
        "a",
    ]
    assert (told.arguments, told.narration, told.problem) == (
        {"a": "x"}, "Looks up the bill", None,
    )  # fmt: skip
    assert (silent.narration, silent.problem) == (None, None)
    assert broken.problem is not None


def test_a_tool_that_has_such_an_argument_itself_keeps_it() -> None:
    own = ToolDefinition(
        name="x", parameters={"type": "object", "properties": {"human_intent": {"type": "string"}}}
    )
    tools = tool_set((own,), applied(CapabilityRef(ref="human_intent")))
    (call,) = resolve_calls(
        [AskedCall("x", '{"human_intent": "mine"}')], tools, turn_id=UUID(int=1), iteration=1
    )

    assert (call.arguments, call.narration) == ({"human_intent": "mine"}, None)
