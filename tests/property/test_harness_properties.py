from uuid import UUID

import hypothesis.strategies as st
from hypothesis import given

from mainspring_harness.arguments import problems
from mainspring_harness.conversation import AssistantMessage, ToolReply
from mainspring_harness.folding import fold
from mainspring_harness.messages_view import messages_view
from mainspring_harness.network import covers
from mainspring_harness.toolset import AskedCall, resolve_calls
from mainspring_harness.transcript import Transcript
from mainspring_schema.agents import (
    CapabilityRef,
    InitialFile,
    Layer,
    NetworkAccess,
    ToolDefinition,
)
from tests.unit.harness.conversations import Log

NAMES = st.sampled_from(["a", "b", "c", "d"])
HOSTS = st.sampled_from(["x.test", "a.x.test", "*.x.test", "*.a.x.test", "y.test", "*"])
TIERS = ("harness", "agent", "session")


@st.composite
def layers(draw: st.DrawFn) -> list[Layer]:
    made: list[Layer] = []
    for rank in sorted(draw(st.lists(st.integers(0, 2), max_size=5))):
        made.append(
            Layer(
                origin=TIERS[rank],
                origin_id=f"{TIERS[rank]}_{len(made)}",
                system_prompt=draw(st.none() | st.text(max_size=5)),
                capabilities=tuple(
                    CapabilityRef(ref=name, config={"layer": len(made)})
                    for name in draw(st.lists(NAMES, max_size=3))
                ),
                tools=tuple(
                    ToolDefinition(name=name, description=str(len(made)))
                    for name in draw(st.lists(NAMES, max_size=3))
                ),
                initial_files=tuple(
                    InitialFile(path=name, content=str(len(made)))
                    for name in draw(st.lists(NAMES, max_size=3))
                ),
                network_access=draw(
                    st.none()
                    | st.builds(
                        NetworkAccess,
                        allowed=st.none() | st.lists(HOSTS, max_size=3).map(tuple),
                        blocked=st.lists(HOSTS, max_size=3).map(tuple),
                    )
                ),
                model_id=draw(st.none() | NAMES),
                max_iterations=draw(st.none() | st.integers(1, 500)),
                parallel_tool_calls=draw(st.none() | st.booleans()),
            )
        )
    return made


@given(layers())
def test_every_named_thing_comes_once_from_the_last_layer_that_names_it(
    tiers: list[Layer],
) -> None:
    folded = fold(tiers)

    last = {tool.name: index for index, layer in enumerate(tiers) for tool in layer.tools}
    assert {tool.value.name: int(tool.value.description) for tool in folded.tools} == last
    assert len(folded.tools) == len(last)
    paths = {file.path: index for index, layer in enumerate(tiers) for file in layer.initial_files}
    assert {one.value.path: int(one.value.content) for one in folded.initial_files} == paths
    refs = {ref.ref for layer in tiers for ref in layer.capabilities}
    assert {one.value.ref for one in folded.capabilities} == refs


@given(layers())
def test_single_values_come_from_the_nearest_layer(tiers: list[Layer]) -> None:
    folded = fold(tiers)

    models = [layer.model_id for layer in tiers if layer.model_id]
    assert (folded.model_id.value if folded.model_id else None) == (models[-1] if models else None)
    switches = [one.parallel_tool_calls for one in tiers if one.parallel_tool_calls is not None]
    assert folded.parallel_tool_calls.value is (switches[-1] if switches else True)


@given(layers(), st.integers(0, 5))
def test_folding_nothing_in_changes_nothing(tiers: list[Layer], at: int) -> None:
    at = min(at, len(tiers))
    before: list[str] = [layer.origin for layer in tiers[:at]]
    empty = Layer(origin=tiers[at - 1].origin if before else "harness", origin_id="empty")

    assert fold([*tiers[:at], empty, *tiers[at:]]) == fold(tiers)


@given(layers())
def test_network_rules_never_widen(tiers: list[Layer]) -> None:
    folded = fold(tiers).network_access

    for layer in tiers:
        rule = layer.network_access
        if rule is None:
            continue
        assert folded is not None
        assert set(rule.blocked) <= set(folded.blocked)
        if rule.allowed is not None:
            assert folded.allowed is not None
            for host in folded.allowed:
                assert any(covers(pattern, host) for pattern in rule.allowed)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Conversations as an engine commits them, stopped anywhere."""
    log, number = Log(), 0
    waiting: list[int] = []
    for _ in range(draw(st.integers(0, 6))):
        for _ in range(draw(st.integers(0, 2))):
            number += 1
            waiting.append(number)
            log.input(number, f"input {number}")
        log.reason(*waiting)
        waiting.clear()
        number += 1
        calls = [f"c{number}_{index}" for index in range(draw(st.integers(0, 3)))]
        log.answer(number, "text", calls=calls)
        for call in draw(st.permutations(calls)):
            if draw(st.booleans()):
                number += 1
                waiting.append(number)
                log.input(number, f"steer {number}")
            log.result(call, call)
    return log


@given(logs(), st.data())
def test_a_transcript_is_the_same_however_its_events_arrive(log: Log, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(log.events)))
    whole, parts = Transcript(), Transcript()

    whole.take(log.events)
    parts.take(log.events[:cut])
    parts = parts.copy()
    parts.take(log.events[data.draw(st.integers(0, cut)) :])

    assert parts.messages() == whole.messages()
    assert (parts.digest, parts.position) == (whole.digest, whole.position)


@given(logs())
def test_every_call_is_followed_by_its_results_in_order(log: Log) -> None:
    transcript = Transcript()
    transcript.take(log.events)
    messages = transcript.messages()

    for index, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            after = messages[index + 1 : index + 1 + len(message.tool_calls)]
            replies = [reply.tool_call_id for reply in after if isinstance(reply, ToolReply)]
            assert replies == [call.id for call in message.tool_calls]


@given(logs())
def test_the_view_shows_each_message_once(log: Log) -> None:
    view = messages_view(log.events)

    assert len({message.id for message in view}) == len(view)
    inputs = sum(event.type == "input.message" for event in log.events)
    assert sum(message.role == "user" for message in view) == inputs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(JSON)
def test_no_arguments_break_the_check(arguments: object) -> None:
    found = problems("t", {"type": "object", "properties": {"a": {"type": "string"}}}, arguments)

    fits = isinstance(arguments, dict) and isinstance(arguments.get("a", ""), str)
    assert (found == ()) is fits


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=20)), max_size=20))
def test_whatever_a_model_writes_becomes_calls_with_ids(asked: list[tuple[str, str]]) -> None:
    calls = resolve_calls([AskedCall(*one) for one in asked], {}, turn_id=UUID(int=1), iteration=1)

    assert [call.name for call in calls] == [name for name, _ in asked]
    assert len({call.id for call in calls}) == len(asked)
    assert all(call.problem for call in calls)
