"""One trace per turn over all processes, whole also where one of them was killed."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from mainspring_local import trace
from mainspring_local.trace import Span
from mainspring_runtime import names
from tests.e2e.follower import Frame
from tests.e2e.rig import Rig, Script, calls, until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ANSWER = "The weather is mild and it is late in the afternoon, so take a walk along the river."
TOOLS = calls(("get_weather", {"location": "Lisbon"}), ("get_current_time", {}))
TOLD = Script([TOOLS, {"text": ANSWER}], token_ms=40)
"""Longer than fragments ever wait for company, so some of it always flies before it is complete."""
STALLED = {"text": ANSWER, "stall": {"after_chars": 40, "attempts": 1}}
WORDS = frozenset(
    value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)
)
NONE: frozenset[str] = frozenset()
SERVICES = frozenset({"api", "engine", "worker", "eventstore"})
NAMED = (names.agent_span(None), names.chat_span("llmsim"), names.tool_span(""))


def in_the_answer(frame: Frame) -> bool:
    return frame.type == "output.message.delta" and frame.text("accumulated").startswith("The")


async def spans_of(
    rig: Rig, session_id: str, *, attempts: int, services: frozenset[str] = NONE
) -> list[Span]:
    """All spans of the session's traces, once those that come last are in their files.

    Each process writes its file in its own time: `services` are those that must have.
    """

    def spans() -> list[Span]:
        return trace.of_one(trace.load(rig.home.traces), session_id)

    def complete() -> bool:
        known = [span.name for span in spans()]
        ended = any(name.startswith(names.agent_span(None)) for name in known)
        written = services <= {span.service for span in spans()}
        whole = written and not trace.orphans(spans())
        return ended and known.count(names.SPAN_ATTEMPT) >= attempts and whole

    try:
        await until(complete, f"the spans of {session_id} are whole")
    except AssertionError as error:
        error.add_note("\n".join(trace.render(spans())))
        raise
    return spans()


async def test_a_turn_is_one_trace_over_all_services(rig: Rig) -> None:
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, TOLD.text())
        await follower.until_outcome()

    spans = await spans_of(rig, session, attempts=4, services=SERVICES)

    assert len({span.trace_id for span in spans}) == 1
    assert {span.service for span in spans} == SERVICES
    assert [span.name for span in spans if span.parent_id is None] == [names.agent_span(None)]
    assert trace.orphans(spans) == []
    model_calls = [span for span in spans if span.name == names.chat_span("llmsim")]
    assert len(model_calls) == 2
    assert {span.name for span in spans} >= {
        names.tool_span("get_weather"), names.tool_span("get_current_time"), names.SPAN_SUBMIT
    }  # fmt: skip


async def test_spans_use_the_names_of_the_one_file(rig: Rig) -> None:
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, Script([TOOLS, {"text": ANSWER}]).text())
        await follower.until_outcome()

    spans = await spans_of(rig, session, attempts=4)

    assert [
        one.name for one in spans if one.name not in WORDS and not one.name.startswith(NAMED)
    ] == []
    assert {key for span in spans for key in span.attributes} - WORDS == set()
    (turn,) = [span for span in spans if span.parent_id is None]
    assert turn.text(names.TURN_OUTCOME) == "completed"
    assert turn.text(names.CONVERSATION_ID) == session
    for call in (span for span in spans if span.name.startswith(names.chat_span("llmsim"))):
        assert {names.USAGE_INPUT, names.USAGE_OUTPUT, names.RESPONSE_FINISH_REASONS} <= {
            *call.attributes
        }


async def test_a_killed_worker_leaves_no_orphan(rig: Rig) -> None:
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, Script([TOOLS, STALLED], token_ms=10).text())
        await follower.until(in_the_answer)
        back = rig.kill("worker")
        await follower.until_outcome()
        await back()

    spans = await spans_of(rig, session, attempts=5)

    attempts = [span for span in spans if span.name == names.SPAN_ATTEMPT]
    assert len({span.trace_id for span in spans}) == 1
    assert sorted(span.text(names.LEASE_FENCE) for span in attempts) == ["1", "1", "1", "1", "2"]
    # Named by its worker or not, the task had left on a stream that broke for good: a death.
    assert sorted(span.text(names.STEP_OUTCOME) for span in attempts) == [
        "expired",
        *["result"] * 4,
    ]
    assert trace.orphans(spans) == []


async def test_an_engine_killed_as_a_turn_ends_leaves_no_orphan(rig: Rig) -> None:
    """Whatever it had not written of the turn's spans, its successor makes from the rows."""
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, TOLD.text())
        await follower.until_outcome()
        back = rig.kill("engine")
    await back()

    spans = await spans_of(rig, session, attempts=4)

    assert [span.name for span in spans if span.parent_id is None] == [names.agent_span(None)]
    assert trace.orphans(spans) == []
    await rig.assert_sound()


async def test_the_trace_of_a_session_is_printed(rig: Rig) -> None:
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, Script([TOOLS, {"text": ANSWER}]).text())
        await follower.until_outcome()
    await spans_of(rig, session, attempts=4)

    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("mainspring")), "trace", session,
        env={**os.environ, "MAINSPRING_HOME": str(rig.home.root)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed = (await process.communicate())[0].decode()

    assert process.returncode == 0
    assert printed.count("trace ") == 1
    assert "parent missing" not in printed
    for word in (names.agent_span(None), names.tool_span("get_weather"), "fence=1"):
        assert word in printed
