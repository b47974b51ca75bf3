"""Sessions that go on from an event of another one, through the whole stack."""

import pytest

from tests.e2e.flows.test_deliveries import answered, at_work, rows, until
from tests.e2e.flows.test_turns import agent
from tests.e2e.flows.wire import Json, Wire, scripted, types

pytestmark = pytest.mark.stack


def written(path: str, text: str) -> Json:
    return {"name": "write_file", "arguments": {"path": path, "content": text}}


async def forked(wire: Wire, session: str, **body: object) -> str:
    return str((await wire.make(f"/sessions/{session}/fork", body))["id"])


async def content(wire: Wire, session: str) -> object:
    return (await wire.get(f"/sessions/{session}/fs/a.txt"))["content"]


async def test_a_fork_goes_on_from_any_event_with_its_files_as_of_then(wire: Wire) -> None:
    files = [{"ref": "session_file_system"}]
    session = await wire.session(agent_id=await agent(wire, capabilities=files))
    for times, text in enumerate(("one", "two"), 1):
        turns = [{"tool_calls": [written("a.txt", text)]}, {"text": text}]
        await wire.say(session, scripted(text, turns=turns))
        await until(wire, session, "session.idled", times)
    before = await wire.events(session)
    first = next(f.sequence for f in before if f.type == "turn.completed")

    then, now = await forked(wire, session, sequence=first), await forked(wire, session)
    found = [await content(wire, one) for one in (then, now)]
    turns = [{"tool_calls": [written("a.txt", "three")]}, {"text": "three"}]
    await wire.say(then, scripted("three", turns=turns))
    await until(wire, then, "turn.completed", 2)

    assert found == ["one", "two"]
    assert [await content(wire, one) for one in (session, then)] == ["two", "three"]
    assert await wire.events(session) == before
    assert '"two"' not in str(await wire.get(f"/sessions/{then}/messages"))
    for one in (session, then, now):
        assert (await wire.get(f"/sessions/{one}/events/verify"))["intact"] is True


async def test_a_fork_in_mid_turn_ends_it_visibly_and_is_usable_at_once(wire: Wire) -> None:
    session, call = await at_work(wire)
    await wire.say(session, "later", delivery="queue")

    fork = await forked(wire, session)
    view = await wire.get(f"/sessions/{fork}")
    await wire.say(fork, "Go on.")
    events = await until(wire, fork, "turn.completed", 1)
    await answered(wire, session, call)
    original = await until(wire, session, "turn.completed", 2)

    assert (view["status"], view["forked_from_session_id"]) == ("idle", session)
    own = types(events)[types(events).index("session.forked") :]
    assert own[:4] == ["session.forked", "tool.completed", "turn.cancelled", "session.idled"]
    (cancelled,) = [frame.data for frame in events if frame.type == "turn.cancelled"]
    assert cancelled["reason"] == "forked"
    shown = [str(row["content"]) for row in rows(await wire.get(f"/sessions/{fork}/messages"))]
    assert not any("later" in text for text in shown)
    assert "turn.cancelled" not in types(original)


async def test_a_fork_behind_each_event_of_a_turn_can_be_talked_to(wire: Wire) -> None:
    session = await wire.session(agent_id=await agent(wire, capabilities=[{"ref": "test_math"}]))
    add = {"name": "add", "arguments": {"a": 1, "b": 2}}
    await wire.say(session, scripted("Add.", turns=[{"tool_calls": [add, add]}, {"text": "3"}]))
    events = await until(wire, session, "session.idled", 1)
    seqs = [frame.sequence for frame in events if frame.sequence is not None]
    ended = next(f.sequence or 0 for f in events if f.type == "turn.completed")

    forks = [(seq, await forked(wire, session, sequence=seq)) for seq in seqs]
    for _, fork in forks:
        await wire.say(fork, "Go on.")

    for seq, fork in forks:
        found = await until(wire, fork, "turn.completed", 1 + (seq >= ended))
        cancelled = [frame for frame in found if frame.type == "turn.cancelled"]
        began = next(f.sequence or 0 for f in events if f.type == "turn.started")
        assert len(cancelled) == (began <= seq < ended), seq
