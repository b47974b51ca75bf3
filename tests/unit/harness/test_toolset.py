from typing import Literal
from uuid import UUID

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.toolset import AskedCall, Offered, resolve_calls, tool_set
from mainspring_kernel import limits
from mainspring_schema.agents import CapabilityRef, ToolDefinition, ToolHints
from mainspring_schema.tasks import ToolCall

TURN = UUID(int=0x1234 << 96)


def math_tools(*own: ToolDefinition) -> dict[str, Offered]:
    applied = builtin_registry().resolve((CapabilityRef(ref="test_math"),))
    return tool_set(own, applied)


def resolve_one(name: str, arguments: str, *, cut: bool = False) -> ToolCall:
    (call,) = resolve_calls(
        [AskedCall(name, arguments)], math_tools(), turn_id=TURN, iteration=2, cut=cut
    )
    return call


def test_own_tools_come_first_and_win_over_a_capability() -> None:
    tools = math_tools(ToolDefinition(name="divide", kind="client_side"), ToolDefinition(name="x"))

    assert list(tools) == ["divide", "x", "add", "subtract", "multiply"]
    assert tools["divide"].client_side
    assert tools["divide"].capability_id is None
    assert tools["add"].capability_id == "test_math"


def test_a_builtin_definition_of_a_tier_is_carried_out_by_its_capability() -> None:
    tools = math_tools(ToolDefinition(name="add", description="mine", effect_class="pure"))

    assert tools["add"].definition.description == "mine"
    assert tools["add"].capability_id == "test_math"


def test_a_good_call_is_resolved_in_full() -> None:
    call = resolve_one("add", '{"a": 1, "b": 2}')

    assert call == ToolCall(
        id=f"call_{TURN.hex[:20]}_2_0",
        name="add",
        arguments={"a": 1, "b": 2},
        effect_class="pure",
        capability_id="test_math",
        display_name="Add",
    )


def classed(kind: Literal["builtin", "client_side"], class_: str) -> str | None:
    """What becomes of the class in a call of such a tool."""
    hints = ToolHints(concurrency_class=class_)
    tools = math_tools(ToolDefinition(name="x", kind=kind, hints=hints))
    (call,) = resolve_calls([AskedCall("x", "{}")], tools, turn_id=TURN, iteration=1)
    return call.concurrency_class


def test_a_call_knows_the_class_of_its_tool_unless_the_client_makes_it() -> None:
    assert classed("builtin", "desk") == "desk"
    assert classed("builtin", "") is None
    assert classed("client_side", "desk") is None


def test_an_unknown_tool_names_the_known_ones() -> None:
    call = resolve_one("ad", "{}")

    assert call.problem == ("unknown tool 'ad'; available tools: add, subtract, multiply, divide")


def test_text_that_is_no_json_is_kept_with_its_problem() -> None:
    call = resolve_one("add", '{"a": 1')

    assert call.arguments == '{"a": 1'
    assert call.problem is not None
    assert call.problem.startswith("invalid arguments: not valid JSON (")


def test_a_cut_answer_says_so() -> None:
    call = resolve_one("add", '{"a": 1', cut=True)

    assert call.problem is not None
    assert "cut at its token bound" in call.problem


def test_arguments_that_break_the_schema_say_where() -> None:
    call = resolve_one("add", '{"a": "x", "b": 2}')

    assert call.problem == 'invalid arguments: a: "x" is not of type "number"'


def test_nesting_without_end_is_a_problem_and_no_crash() -> None:
    call = resolve_one("add", '{"a":' * 100_000)

    assert call.problem is not None


def test_no_text_at_all_means_no_arguments() -> None:
    tools = tool_set((), builtin_registry().resolve((CapabilityRef(ref="current_time"),)))

    (call,) = resolve_calls([AskedCall("get_current_time", "")], tools, turn_id=TURN, iteration=1)

    assert (call.arguments, call.problem) == ({}, None)


def test_calls_beyond_the_bound_get_a_problem() -> None:
    asked = [AskedCall("add", '{"a": 1, "b": 2}')] * (limits.TOOL_CALLS_PER_RESPONSE_MAX + 2)

    calls = resolve_calls(asked, math_tools(), turn_id=TURN, iteration=1)

    assert [call.problem is None for call in calls] == [
        *[True] * limits.TOOL_CALLS_PER_RESPONSE_MAX,
        False,
        False,
    ]
    assert len({call.id for call in calls}) == len(calls)
