"""A service dies in the middle of a turn: the turn ends once, and streams go on where they were."""

import asyncio
import time

import pytest

from tests.e2e.follower import Follower, Frame, assert_accumulated, assert_gapless
from tests.e2e.rig import Rig, Script, calls, turns_of

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ANSWER = "The weather is mild and it is late in the afternoon, so take a walk along the river. " * 2
SLOW = Script([calls(("get_weather", {"location": "Lisbon"})), {"text": ANSWER}], token_ms=40)


def in_the_answer(frame: Frame) -> bool:
    return frame.type == "output.message.delta" and frame.text("accumulated").startswith("The")


@pytest.mark.parametrize("service", ["engine", "eventstore", "api", "scheduler"])
async def test_a_turn_outlives_a_killed_service(rig: Rig, service: str) -> None:
    session = await rig.session()
    async with rig.following(session) as follower:
        first = await rig.insist(session, SLOW.text())
        await follower.until(in_the_answer)
        before = await rig.results(session)

        back = rig.kill(service)
        steering = await rig.insist(session, "And hello again, please.")
        outcome = await follower.until_outcome()
        await follower.until_taken_up(steering.message_id)
        restart_s = await back()

    after = await rig.results(session)
    print(f"{service} was back after {restart_s:.2f} s; {len(steering.statuses)} tries to post")
    assert outcome.type == "turn.completed"
    assert before
    assert {key: after[key] for key in before} == before
    assert follower.inputs() == [first.message_id, steering.message_id]
    assert follower.taken_up() == follower.inputs()
    assert_gapless(follower.frames)
    assert_accumulated(follower.frames)
    await rig.until_sql(turns_of(session, outcome=0), [["0"]])
    await rig.assert_sound()


async def test_engines_sweep_for_themselves_while_the_scheduler_is_away(rig: Rig) -> None:
    """A failed model call waits for its retry, which somebody has to make ready."""
    failing = {"text": ANSWER, "error": {"kind": "overloaded", "after_chars": 7, "attempts": 1}}
    program = await rig.take_away("scheduler")
    try:
        session = await rig.session()
        async with rig.following(session) as follower:
            began = time.monotonic()
            await rig.say(session, Script([failing]).text())
            outcome = await follower.until_outcome()
            print(f"a turn with a retry took {time.monotonic() - began:.2f} s on its own")
    finally:
        await rig.bring(program)

    assert outcome.type == "turn.completed"
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def seconds_per_turn(rig: Rig, turns: int) -> list[float]:
    took: list[float] = []
    session = await rig.session()
    async with rig.following(session) as follower:
        for turn in range(1, turns + 1):
            began = time.monotonic()
            await rig.say(session, "Hello")
            await follower.until_outcome(turns=turn)
            took.append(time.monotonic() - began)
    assert_gapless(follower.frames)
    return took


async def test_turns_go_on_without_nats(rig: Rig) -> None:
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, SLOW.text())
        await follower.until(in_the_answer)

        nats = await rig.take_away("nats")
        outcome = await follower.until_outcome()
        without = await seconds_per_turn(rig, 3)
        await rig.bring(nats)
        with_nats = await seconds_per_turn(rig, 8)

    print(f"a turn took {max(without):.2f} s without NATS, {min(with_nats):.3f} s with it again")
    assert outcome.type == "turn.completed"
    # The sweep alone brings events once a second; hints bring them at once.
    assert min(with_nats) < 0.5
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def test_a_postgres_crash_loses_nothing_acknowledged(rig: Rig) -> None:
    """A small load goes on over two crashes; whatever was not taken is told to come again."""
    crashes_over = asyncio.Event()
    acknowledged: dict[str, list[str]] = {}
    statuses: list[int] = []

    async def converse(follower: Follower) -> None:
        told = acknowledged.setdefault(follower.session_id, [])
        while not crashes_over.is_set() or not told:
            taken = await rig.insist(follower.session_id, "Hello")
            statuses.extend(taken.statuses)
            told.append(taken.message_id)
            await follower.until_taken_up(taken.message_id)

    async with asyncio.TaskGroup() as group, rig.following(await rig.session()) as slow:
        followers = [Follower((rig.api,), await rig.session()) for _ in range(4)]
        await rig.say(slow.session_id, SLOW.text())
        talking = [group.create_task(converse(follower)) for follower in followers]
        await slow.until(in_the_answer)

        outages = [await rig.kill("postgres")() for _ in range(2)]
        outcome = await slow.until_outcome()
        crashes_over.set()
        await asyncio.wait(talking)
        for follower in followers:
            await follower.close()

    times = ", ".join(f"{one:.2f} s" for one in outages)
    print(f"Postgres was away for {times}; {statuses.count(503)} tries were put off")
    assert outcome.type == "turn.completed"
    assert set(statuses) <= {201, 503}
    for follower in followers:
        assert follower.inputs() == acknowledged[follower.session_id]
        assert follower.taken_up() == follower.inputs()
        assert_gapless(follower.frames)
    assert_gapless(slow.frames)
    await rig.assert_sound()
