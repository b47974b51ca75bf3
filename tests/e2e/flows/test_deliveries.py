"""Messages that meet a turn at work, through the whole stack: by mode, with receipts.

The turn waits for a tool of its client, so that it stays at work for as long as a test needs it.
"""

import asyncio
from typing import cast

import msgspec
import pytest

from tests.e2e.flows.test_turns import agent
from tests.e2e.flows.wire import PATIENCE_S, Frame, Json, Wire, scripted, types, unique

pytestmark = pytest.mark.stack

LOOK: Json = {"type": "client_side", "name": "look_up", "description": "Looks up"}
CALL: Json = {"name": "look_up", "arguments": {}}
ASKING = scripted("Look.", turns=[{"tool_calls": [CALL]}, {"text": "Found."}])


async def until(wire: Wire, session: str, type_: str, times: int) -> list[Frame]:
    """All frames up to the one that is of this type for the so-many-th time."""
    found: list[Frame] = []
    async with asyncio.timeout(PATIENCE_S), wire.open(session, "?after_sequence=0") as frames:
        async for frame in frames:
            found.append(frame)
            if types(found).count(type_) == times:
                return found
    pytest.fail(f"the stream ended after {types(found)}")


def rows(page: Json, name: str = "data") -> list[Json]:
    return msgspec.convert(page[name], list[Json])


async def at_work(wire: Wire) -> tuple[str, str]:
    """A session whose turn waits, and the call that it waits for."""
    session = await wire.session(agent_id=await agent(wire), tools=[LOOK])
    await wire.say(session, ASKING)
    frames = await wire.until(session, "tool.call_requested")
    (call,) = rows(frames[-1].data, "tool_calls")
    return session, str(call["id"])


async def answered(wire: Wire, session: str, call: str) -> None:
    body = {"tool_results": [{"tool_call_id": call, "result": 7}]}
    assert (await wire.ask("POST", f"/sessions/{session}/tool-results", body)).status_code == 200


async def test_queued_messages_are_edited_moved_withdrawn_and_taken_in_their_order(
    wire: Wire,
) -> None:
    session, call = await at_work(wire)
    here = f"/sessions/{session}"
    one, two, gone = [await wire.say(session, t, delivery="queue") for t in ("1", "2", "gone")]

    edit = {"content": [{"type": "text", "text": "one"}]}
    assert (await wire.ask("PATCH", f"{here}/messages/{one}", edit)).status_code == 200
    moved = await wire.ask("POST", f"{here}/inbox/order", {"message_ids": [two, one]})
    withdrawn = await wire.ask("DELETE", f"{here}/messages/{gone}")
    waiting = await wire.get(f"{here}/inbox")
    await answered(wire, session, call)
    events = await until(wire, session, "session.idled", 3)
    receipts = [await wire.get(f"{here}/messages/{id_}/receipt") for id_ in (one, two, gone)]

    assert moved.json()["data"][0]["message_id"] == two
    assert withdrawn.json()["status"] == "withdrawn"
    assert [row["message_id"] for row in rows(waiting)] == [two, one]
    taken = [frame.data.get("consumed") for frame in events if frame.type == "reason.started"]
    assert [ids for ids in taken if ids][-2:] == [[two], [one]]
    assert [receipt["status"] for receipt in receipts] == ["consumed", "consumed", "withdrawn"]
    (told,) = [frame for frame in events if frame.data.get("consumed") == [one]]
    assert told.sequence == cast("Json", receipts[0]["consumed"])["sequence"]
    late = await wire.ask("PATCH", f"{here}/messages/{one}", edit)
    assert (late.status_code, late.json()["code"]) == (409, "message_taken")
    shown = await wire.get(f"{here}/messages")
    parts = [part for row in rows(shown) for part in rows(row, "content")]
    texts = [part.get("text") for part in parts]
    assert "one" in texts
    assert not {"1", "gone"} & set(texts)


async def test_each_mode_has_a_receipt_that_says_when_and_where_it_was_consumed(
    wire: Wire,
) -> None:
    session, call = await at_work(wire)
    here = f"/sessions/{session}"
    modes = ("queue", "collect", "collect", "steer")
    said = [await wire.say(session, f"{mode}.", delivery=mode) for mode in modes[:3]]
    waiting = [await wire.get(f"{here}/messages/{id_}/receipt") for id_ in said]
    said.append(await wire.say(session, "Now.", delivery="steer"))

    events = await until(wire, session, "session.idled", 3)

    assert [one["status"] for one in waiting] == ["waiting"] * 3
    begun = {f.sequence: f.data["consumed"] for f in events if f.type == "reason.started"}
    queued, *collected, steered = said
    taken = [ids for ids in begun.values() if ids][-3:]
    assert taken == [[steered], [queued], collected]
    for id_ in said:
        receipt = await wire.get(f"{here}/messages/{id_}/receipt")
        consumed = cast("Json", receipt["consumed"])
        assert (receipt["status"], receipt["delivery"]) == ("consumed", modes[said.index(id_)])
        assert id_ in cast("list[str]", begun[cast("int", consumed["sequence"])])
    results = [f.text("status") for f in events if f.type == "tool.completed"]
    assert (results, call) == (["cancelled"], events_call(events))


def events_call(events: list[Frame]) -> str:
    """The call that the client never answered: what steers goes on without it."""
    (asked,) = [f for f in events if f.type == "tool.call_requested"]
    return str(rows(asked.data, "tool_calls")[0]["id"])


async def test_an_interrupt_and_a_rollback_end_the_turn_and_take_its_place(wire: Wire) -> None:
    session, _ = await at_work(wire)

    interrupting = await wire.say(session, ASKING, delivery="interrupt")
    await until(wire, session, "tool.call_requested", 2)
    instead = await wire.say(session, "Rather this.", delivery="rollback")
    events = await until(wire, session, "session.idled", 3)

    cancelled = [frame.data for frame in events if frame.type == "turn.cancelled"]
    assert [data["reason"] for data in cancelled] == ["interrupted", "rolled_back"]
    assert cancelled[1]["rolled_back"] is True
    taken = [frame.data.get("consumed") for frame in events if frame.type == "reason.started"]
    assert taken[-2:] == [[interrupting], [instead]]
    assert types(events)[-2:] == ["turn.completed", "session.idled"]


async def test_a_message_for_an_idle_session_is_refused_by_a_turn_and_not_by_its_own(
    wire: Wire,
) -> None:
    session = await wire.session(agent_id=await agent(wire), tools=[LOOK])
    path, key = f"/sessions/{session}/messages", unique("key")
    part = {"type": "text", "text": ASKING}
    body = {"message": {"role": "user", "content": [part]}, "delivery": "reject"}

    first = await wire.ask("POST", path, body, Idempotency_Key=key)
    await wire.until(session, "tool.call_requested")
    again = await wire.ask("POST", path, body, Idempotency_Key=key)
    other = await wire.ask("POST", path, body)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "session_busy")
