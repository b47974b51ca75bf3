"""A worker dies or freezes in the middle of its work: the turn ends once, nothing is redone."""

import time

import pytest

from mainspring_engine.domain.limits import WORKER_DEATHS_MAX
from tests.e2e.follower import Frame, assert_accumulated, assert_gapless
from tests.e2e.rig import Rig, Script, calls, effects_of, turns_of

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ANSWER = "The weather is mild and it is late in the afternoon, so take a walk along the river."
WEATHER = ("get_weather", {"location": "Lisbon"})
TIME = ("get_current_time", {"timezone": "Europe/Lisbon"})


def delta_of_the_answer(frame: Frame) -> bool:
    return frame.type == "output.message.delta" and frame.text("accumulated").startswith("The")


async def test_a_worker_killed_in_its_answer_is_replaced(rig: Rig) -> None:
    stalled = {"text": ANSWER, "stall": {"after_chars": 40, "attempts": 1}}
    script = Script([calls(WEATHER, TIME), stalled], token_ms=20)
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await follower.until(delta_of_the_answer)
        before = await rig.results(session)

        killed_at = time.monotonic()
        back = rig.kill("worker")
        recovered = await follower.until_type("reason.recovered")
        recovery_s = time.monotonic() - killed_at
        outcome = await follower.until_outcome()
        restart_s = await back()

    after = await rig.results(session)
    print(f"recovery {recovery_s:.2f} s after the kill, the worker's restart {restart_s:.2f} s")
    assert outcome.type == "turn.completed"
    assert len(before) == 3
    assert {key: after[key] for key in before} == before
    assert len(after) == 4
    assert max(row.fence for row in after.values()) == 2
    assert recovered.data["mode"] == "restart"
    assert len(follower.of("llm.generation")) == 2
    assert any(frame.data.get("reset") for frame in follower.of("output.message.delta"))
    assert_gapless(follower.frames)
    assert_accumulated(follower.frames)
    await rig.assert_sound()


async def test_a_pure_tool_runs_again_after_its_worker_was_killed(rig: Rig) -> None:
    script = Script([calls(WEATHER, ("pass_gate", {"gate": "pure"})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("pure")
        await follower.until_type("tool.completed")
        before = await rig.results(session)

        killed_at = time.monotonic()
        back = rig.kill("worker")
        await rig.until_entered("pure", count=2)
        recovery_s = time.monotonic() - killed_at
        rig.open_gate("pure")
        outcome = await follower.until_outcome()
        await back()

    after = await rig.results(session)
    print(f"the tool ran again {recovery_s:.2f} s after the kill")
    assert outcome.type == "turn.completed"
    assert {key: after[key] for key in before} == before
    assert rig.entered("pure") == 2
    assert len(follower.of("tool.completed")) == 2
    assert len(follower.of("llm.generation")) == 2
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def test_an_at_most_once_tool_is_never_started_again(rig: Rig) -> None:
    script = Script([calls(("pass_gate_once", {"gate": "once"})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("once")

        killed_at = time.monotonic()
        back = rig.kill("worker")
        told = await follower.until_type("tool.completed")
        told_s = time.monotonic() - killed_at
        rig.open_gate("once")
        outcome = await follower.until_outcome()
        await back()

    print(f"its outcome was told unknown {told_s:.2f} s after the kill")
    assert told.data["status"] == "error"  # the wire has no word for it, so the text says it
    assert "not known" in told.text("error")
    assert any(row.fence == 1 for row in (await rig.results(session)).values())
    assert outcome.type == "turn.completed"
    assert rig.entered("once") == 1
    assert_gapless(follower.frames)
    await rig.assert_sound()


@pytest.mark.parametrize(
    ("gate", "status", "said", "effect"),
    [
        ("applied", "success", '{"found":true}', "3"),
        ("never-applied", "error", "the gate was never passed", "4"),
    ],
)
async def test_a_lost_verifiable_call_ends_by_what_its_probe_finds(
    rig: Rig, gate: str, status: str, said: str, effect: str
) -> None:
    script = Script([calls(("pass_gate_verified", {"gate": gate})), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered(gate)

        killed_at = time.monotonic()
        back = rig.kill("worker")
        told = await follower.until_type("tool.completed")
        told_s = time.monotonic() - killed_at
        outcome = await follower.until_outcome()
        await back()

    print(f"what became of it was told {told_s:.2f} s after the kill")
    assert told.data["status"] == status
    assert said in str(told.data)
    assert outcome.type == "turn.completed"
    assert rig.entered(gate) == 1
    (step,) = [row for row in (await rig.results(session)).values() if row.step.startswith("tool")]
    assert step.fence == 2
    assert await rig.sql(effects_of(session)) == [[effect]]
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def test_a_frozen_worker_is_refused_when_it_wakes(rig: Rig) -> None:
    """Its lease runs out while it sleeps; what it did meanwhile counts for nothing."""
    script = Script([calls(("pass_gate", {"gate": "frozen"})), {"text": ANSWER}])
    session, other = await rig.session(), await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await rig.until_entered("frozen")

        rig.freeze("worker")
        frozen_at = time.monotonic()
        await rig.bring(rig.program("worker-2", service="worker"))
        await rig.until_entered("frozen", count=2)
        taken_s = time.monotonic() - frozen_at
        rig.open_gate("frozen")
        outcome = await follower.until_outcome()
        before = await rig.results(session)
        rig.thaw("worker")
        await rig.retire("worker-2")
        # The one that slept has spoken, was refused, and is of use again.
        await rig.say(other, "Hello")
        await rig.until_sql(turns_of(other, outcome=1), [["1"]])

    after = await rig.results(session)
    print(f"the frozen worker's task was taken over after {taken_s:.2f} s")
    assert outcome.type == "turn.completed"
    assert after == before
    assert len(follower.of("tool.completed")) == 1
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def test_a_tool_that_kills_its_worker_at_once_costs_three_workers(rig: Rig) -> None:
    script = Script([calls(("kill_worker", {"gate": "poison"}))])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        outcome = await follower.until_outcome()

    assert (outcome.type, outcome.data["error_code"]) == ("turn.failed", "poison")
    assert rig.entered("poison") == WORKER_DEATHS_MAX
    assert_gapless(follower.frames)
    await rig.assert_sound()
