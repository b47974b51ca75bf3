"""A cancel meets a tool at work: it hears of it, the turn ends once, each call has one result."""

import time

import pytest

from tests.e2e.follower import Follower, Frame, assert_gapless
from tests.e2e.rig import Rig, Script, calls

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
WEATHER = ("get_weather", {"location": "Lisbon"})
ANSWER = "All gates are behind us."


def results(follower: Follower) -> dict[str, Frame]:
    """By the tool's name; fails where a call has two."""
    completed = follower.of("tool.completed")
    found = {frame.text("tool_name"): frame for frame in completed}
    assert len(found) == len(completed)
    return found


async def assert_over(rig: Rig, follower: Follower) -> None:
    """The turn is cancelled for good, and the session goes on."""
    assert len(follower.of("turn.cancelled", "turn.completed", "turn.failed")) == 1
    again = await rig.call("POST", f"/sessions/{follower.session_id}/cancel")
    assert again["status"] == "no_op"
    await rig.say(follower.session_id, "Hello")
    assert (await follower.until_outcome(turns=2)).type == "turn.completed"
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def test_a_cancel_stops_the_tool_at_work_and_keeps_what_is_done(rig: Rig) -> None:
    script = Script([calls(WEATHER, ("pass_gate", {"gate": "stop"})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("stop")
        await follower.until_type("tool.completed")

        asked_at = time.monotonic()
        answer = await rig.call("POST", f"/sessions/{session}/cancel")
        await rig.until_noted("stop", "stopped")
        heard_s = time.monotonic() - asked_at
        outcome = await follower.until_outcome()

        print(f"the tool heard of the cancel after {heard_s:.3f} s")
        assert answer["status"] == "cancelled"
        assert outcome.type == "turn.cancelled"
        statuses = {name: frame.text("status") for name, frame in results(follower).items()}
        assert statuses == {"get_weather": "success", "pass_gate": "cancelled"}
        assert len(follower.of("llm.generation")) == 1
        assert rig.entered("stop") == rig.noted("stop", "stopped") == 1
        await assert_over(rig, follower)


async def test_a_cancelled_call_that_may_have_taken_effect_says_so(rig: Rig) -> None:
    script = Script([calls(("pass_gate_once", {"gate": "half"})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("half")

        await rig.call("POST", f"/sessions/{session}/cancel")
        outcome = await follower.until_outcome()

        assert outcome.type == "turn.cancelled"
        told = results(follower)["pass_gate_once"]
        assert told.data["status"] == "error"  # the wire has no word for it, so the text says it
        assert "not known" in told.text("error")
        assert rig.entered("half") == rig.noted("half", "stopped") == 1
        await assert_over(rig, follower)


async def test_what_a_tool_brings_after_its_cancel_counts_for_nothing(rig: Rig) -> None:
    script = Script([calls(("pass_gate_stubbornly", {"gate": "deaf"})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("deaf")

        await rig.call("POST", f"/sessions/{session}/cancel")
        outcome = await follower.until_outcome()
        rig.open_gate("deaf")
        await rig.until_noted("deaf", "passed")

        assert outcome.type == "turn.cancelled"
        assert results(follower)["pass_gate_stubbornly"].data["status"] == "cancelled"
        await assert_over(rig, follower)
        assert len(follower.of("tool.completed")) == 1


async def test_a_cancel_does_not_wait_for_a_frozen_worker(rig: Rig) -> None:
    """Its lease or the deadline of the cancel, whichever ends first; it hears of it at last."""
    script = Script([calls(("pass_gate", {"gate": "ice"})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("ice")

        rig.freeze("worker")
        asked_at = time.monotonic()
        await rig.call("POST", f"/sessions/{session}/cancel")
        outcome = await follower.until_outcome()
        ended_s = time.monotonic() - asked_at
        rig.thaw("worker")
        await rig.until_noted("ice", "stopped")

        print(f"the turn ended {ended_s:.2f} s after the cancel")
        assert outcome.type == "turn.cancelled"
        assert results(follower)["pass_gate"].data["status"] == "cancelled"
        assert rig.entered("ice") == 1
        await assert_over(rig, follower)
