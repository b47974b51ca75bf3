"""A turn as its events tell it: order, outcome, and what happens when somebody interferes."""

import asyncio
from typing import cast

import pytest

from tests.e2e.flows.wire import OUTCOMES, PATIENCE_S, Frame, Json, Wire, scripted, types, unique

pytestmark = pytest.mark.stack

BEGINNING = ["input.message", "session.activated", "turn.started"]
ASKED = ["reason.started", "output.message.started"]
ANSWERED = ["llm.generation", "output.message.completed", "reason.completed"]
END = ["turn.completed", "session.idled"]
TOOL: Json = {
    "type": "client_side",
    "name": "look_up",
    "description": "Looks something up",
    "parameters": {"type": "object", "properties": {"key": {"type": "string"}}},
}
LOOK_S = 0.05
STALL = {"turns": [{"text": "I think about it for ever.", "stall": {"after_chars": 7}}]}


async def agent(wire: Wire, **body: object) -> str:
    made = await wire.ask(
        "POST", "/agents", {"name": unique("turns"), "system_prompt": "Help.", **body}
    )
    assert made.status_code == 201, made.text
    return str(cast("Json", made.json())["id"])


async def calling_session(wire: Wire) -> str:
    """A session that waits for two results of its client."""
    session = await wire.session(tools=[TOOL])
    calls = [{"name": "look_up", "arguments": {"key": key}} for key in ("a", "b")]
    await wire.say(session, scripted("Look up.", turns=[{"tool_calls": calls}, {"text": "Done."}]))
    await wire.until(session, "tool.call_requested")
    return session


def calls_of(frames: list[Frame]) -> list[str]:
    wanted = next(frame for frame in frames if frame.type == "tool.call_requested")
    return [str(call["id"]) for call in cast("list[Json]", wanted.data["tool_calls"])]


async def test_a_text_turn_has_the_usual_order(wire: Wire) -> None:
    session = await wire.session()
    await wire.say(session, "Hello")

    frames = await wire.to_rest(session)

    assert types(frames) == ["session.started", *BEGINNING, *ASKED, *ANSWERED, *END]


async def test_tool_calls_run_beside_each_other_between_two_answers(wire: Wire) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=[{"ref": "test_math"}]))
    calls = [{"name": "add", "arguments": {"a": n, "b": n}} for n in (1, 2, 3)]
    await wire.say(session, scripted("Add.", turns=[{"tool_calls": calls}, {"text": "Sums."}]))

    frames = await wire.to_rest(session)
    seen = types(frames)
    start, end = seen.index("act.started"), seen.index("act.completed")
    started = [f for f in frames if f.type == "tool.started"]
    completed = [f for f in frames if f.type == "tool.completed"]

    assert seen[:start] == ["session.started", *BEGINNING, *ASKED, *ANSWERED]
    assert seen[end + 1 :] == [*ASKED, *ANSWERED, *END]
    assert sorted(seen[start + 1 : end]) == ["tool.completed"] * 3 + ["tool.started"] * 3
    assert [f.data["success"] for f in completed] == [True] * 3
    assert {str(f.member("tool_call")["id"]) for f in started} == {
        f.text("tool_call_id") for f in completed
    }


async def test_sequences_are_dense_and_messages_are_the_events(wire: Wire) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=[{"ref": "test_math"}]))
    for text in ("Add 1 and 2", "Hello"):
        await wire.say(session, text)
        await wire.to_rest(session, "")

    events = await wire.events(session)
    messages = cast("list[Json]", (await wire.get(f"/sessions/{session}/messages"))["data"])
    told = [
        event.member("message")["id"]
        for event in events
        if event.type in ("input.message", "output.message.completed")
    ]

    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [one["id"] for one in messages if one["role"] != "tool_result"] == told
    assert [one["role"] for one in messages] == [
        "user", "agent", "tool_result", "agent", "user", "agent",
    ]  # fmt: skip


async def test_a_cancel_ends_a_model_call_and_a_second_one_changes_nothing(wire: Wire) -> None:
    session = await wire.session()
    await wire.say(session, scripted("Think.", **STALL))
    await wire.until(session, "output.message.delta")

    first = await wire.ask("POST", f"/sessions/{session}/cancel")
    frames = await wire.to_rest(session)
    second = await wire.ask("POST", f"/sessions/{session}/cancel")

    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert (second.status_code, second.json()["status"]) == (200, "no_op")
    tail = types(frames)[types(frames).index("turn.cancelled") :]
    assert tail == ["turn.cancelled", "input.message", "output.message.completed", "session.idled"]
    assert types(await wire.events(session)) == types(frames)
    assert (await wire.get(f"/sessions/{session}"))["status"] == "idle"


async def test_a_cancel_ends_a_turn_that_waits_for_its_next_attempt(wire: Wire) -> None:
    session = await wire.session()
    limited = {"kind": "rate_limit", "retry_after_ms": 60_000}
    await wire.say(session, scripted("Think.", turns=[{"error": limited}]))
    async with asyncio.timeout(PATIENCE_S):
        while await states_of_tasks(wire, session) != ["delayed"]:  # noqa: ASYNC110 -- rows tell nobody
            await asyncio.sleep(LOOK_S)

    cancelled = await wire.ask("POST", f"/sessions/{session}/cancel")
    frames = await wire.to_rest(session)

    assert cancelled.json()["status"] == "cancelled"
    assert types(frames)[-4:] == [
        "turn.cancelled", "input.message", "output.message.completed", "session.idled",
    ]  # fmt: skip
    assert await states_of_tasks(wire, session) == []


async def states_of_tasks(wire: Wire, session: str) -> list[str]:
    """Of the session's open tasks."""
    page = await wire.get(f"/durable/tasks?session_id={session}")
    return [str(task["status"]) for task in cast("list[Json]", page["data"])]


async def test_a_cancel_while_a_client_works_on_its_calls_gives_each_its_one_result(
    wire: Wire,
) -> None:
    session = await calling_session(wire)
    waiting = (await wire.get(f"/sessions/{session}"))["status"]

    cancelled = await wire.ask("POST", f"/sessions/{session}/cancel")
    frames = await wire.to_rest(session)
    results = [f for f in frames if f.type == "tool.completed"]

    assert waiting == "waitingfortoolresults"
    assert cancelled.json()["status"] == "cancelled"
    assert sorted(f.text("tool_call_id") for f in results) == sorted(calls_of(frames))
    assert {f.text("status") for f in results} == {"cancelled"}
    assert types(frames)[-4:] == [
        "turn.cancelled", "input.message", "output.message.completed", "session.idled",
    ]  # fmt: skip


async def test_results_of_a_client_count_once(wire: Wire) -> None:
    session = await calling_session(wire)
    calls = calls_of(await wire.events(session))
    results = [
        {"tool_call_id": calls[0], "result": {"x": 1}},
        {"tool_call_id": calls[1], "error": "gone"},
    ]
    path = f"/sessions/{session}/tool-results"

    first = await wire.ask("POST", path, {"tool_results": results})
    frames = await wire.to_rest(session)
    second = await wire.ask("POST", path, {"tool_results": results})
    completed = [f for f in frames if f.type == "tool.completed"]

    assert (first.status_code, first.json()["accepted"]) == (200, 2)
    assert second.status_code == 409
    assert "not waiting for tool results" in second.json()["error"]["message"]
    assert [(f.text("tool_call_id"), f.data["success"]) for f in completed] == [
        (calls[0], True), (calls[1], False),
    ]  # fmt: skip
    assert types(frames)[-2:] == END


async def test_a_message_to_a_waiting_session_abandons_the_calls(wire: Wire) -> None:
    session = await calling_session(wire)

    await wire.say(session, "Never mind.")
    frames = await wire.to_rest(session)

    assert sum(f.type == "tool.completed" for f in frames) == 2
    assert types(frames).count("turn.started") == 1
    assert types(frames)[-2:] == END


async def test_a_message_during_a_turn_is_answered_in_it(wire: Wire) -> None:
    session = await wire.session()
    slow = scripted("Talk.", turns=[{"text": "word " * 30}], latency={"token_ms": 30})
    first = await wire.say(session, slow)
    await wire.until(session, "output.message.delta")

    second = await wire.say(session, "And hello to you")
    frames = await wire.to_rest(session)
    consumed = [f.data["consumed"] for f in frames if f.type == "reason.started"]

    assert consumed == [[first], [second]]
    assert types(frames).count("turn.started") == types(frames).count("turn.completed") == 1
    assert types(frames).count("output.message.completed") == 2


async def test_a_turn_stops_at_its_number_of_model_calls(wire: Wire) -> None:
    made = await agent(wire, capabilities=[{"ref": "test_math"}], max_iterations=3)
    session = await wire.session(agent_id=made)
    again = {"tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 1}}]}
    await wire.say(session, scripted("Add for ever.", turns=[again]))

    frames = await wire.to_rest(session)
    outcome = next(f for f in frames if f.type in OUTCOMES)
    results = [f for f in frames if f.type == "tool.completed"]

    assert outcome.data["iterations"] == 3
    assert types(frames).count("reason.started") == 3
    assert [f.text("status") for f in results] == ["success", "success", "cancelled"]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("model_00000000000000000000000000000bad", "model_not_available"),
        ("model_01933b5a000070008000000000000101", "provider_misconfigured"),
    ],
    ids=["a provider nobody knows", "a provider without a key"],
)
async def test_a_model_that_cannot_be_called_ends_the_turn_with_a_code(
    wire: Wire, model: str, code: str
) -> None:
    session = await wire.session()
    await wire.say(session, "Hello", controls={"model_id": model})

    frames = await wire.to_rest(session)
    by_type = {frame.type: frame for frame in frames}

    assert by_type["turn.failed"].text("error_code") == code
    assert by_type["output.message.completed"].text("error_code") == code
    assert by_type["reason.completed"].data["success"] is False
    assert types(frames)[-4:] == [
        "output.message.completed", "reason.completed", "turn.failed", "session.idled",
    ]  # fmt: skip


async def test_a_failed_turn_leaves_a_session_that_goes_on(wire: Wire) -> None:
    session = await wire.session()
    await wire.say(session, scripted("Fail.", turns=[{"error": {"kind": "authentication"}}]))
    failed = await wire.to_rest(session)

    await wire.say(session, "Hello again")
    frames = await wire.to_rest(session, f"?since_id={failed[-1].id}")

    assert "turn.failed" in types(failed)
    assert types(frames) == [*BEGINNING, *ASKED, *ANSWERED, *END]


async def test_messages_sent_at_once_are_each_an_input_of_exactly_one_turn(wire: Wire) -> None:
    session = await wire.session()

    sent = await asyncio.gather(*(wire.say(session, f"Hello {n}") for n in range(8)))
    frames = await wire.to_rest(session)
    while not {f.member("message")["id"] for f in frames if f.type == "input.message"} >= set(sent):
        frames += await wire.to_rest(session, f"?since_id={frames[-1].id}")
    consumed = [
        id_
        for frame in frames
        if frame.type == "reason.started"
        for id_ in cast("list[str]", frame.data["consumed"])
    ]

    assert sorted(consumed) == sorted(sent)
    assert types(frames).count("turn.started") == types(frames).count("turn.completed")


async def test_a_message_is_found_by_its_tags(wire: Wire) -> None:
    session = await wire.session()
    await wire.say(session, "Hello", tags=["vip", "web"])
    await wire.to_rest(session)
    await wire.say(session, "Hello again")

    page = await wire.get(f"/sessions/{session}/events?tags=vip&tags=other")
    (found,) = cast("list[Json]", page["data"])

    assert (found["type"], found["tags"]) == ("input.message", ["vip", "web"])
