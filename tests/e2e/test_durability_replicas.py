"""Two engines, two apis, two workers over one database: any of them serves any session."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mainspring_testkit.servers import free_port
from tests.e2e.follower import assert_accumulated, assert_gapless
from tests.e2e.rig import Rig, Script, calls

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ANSWER = "The weather is mild and it is late in the afternoon, so take a walk along the river."
DELTA = "output.message.delta"
PLACES = ("Lisbon", "Oslo", "Quito", "Hanoi")
SLOW = Script(
    [calls(*(("get_weather", {"location": place}) for place in PLACES)), {"text": ANSWER * 4}],
    token_ms=40,
)


@pytest.fixture(scope="module")
async def apis(shared_rig: Rig) -> AsyncIterator[tuple[str, str]]:
    """The base URLs of both sides. The second api speaks to the second engine, as its worker."""
    port = free_port()
    rig = shared_rig
    engine = rig.program("engine-2", service="engine")
    engine_addr = engine.environment["MAINSPRING_ENGINE_BIND"]
    api = rig.program(
        "api-2", service="api", MAINSPRING_API_PORT=str(port), MAINSPRING_ENGINE_ADDR=engine_addr
    )
    worker = rig.program("worker-2", service="worker", MAINSPRING_ENGINE_ADDR=engine_addr)
    for program in (engine, api, worker):
        await rig.bring(program)
    yield rig.api, f"http://127.0.0.1:{port}/api/v1"
    for name in ("worker-2", "api-2", "engine-2"):
        await rig.retire(name)


async def test_messages_to_either_side_are_inputs_of_one_turn_each(
    rig: Rig, apis: tuple[str, str]
) -> None:
    session = await rig.session()
    async with (
        rig.following(session, apis=apis[:1]) as here,
        rig.following(session, apis=apis[1:]) as there,
    ):
        posted = await asyncio.gather(
            *(rig.insist(session, f"Hello {n}", api=apis[n % 2]) for n in range(10))
        )
        for follower in (here, there):
            for message in posted:
                await follower.until_taken_up(message.message_id)

    assert here.frames == there.frames
    assert sorted(here.inputs()) == sorted(one.message_id for one in posted)
    assert here.taken_up() == here.inputs()
    assert_gapless(here.frames)
    await rig.assert_sound()


async def test_a_stream_resumes_on_the_other_api_from_events_and_deltas(
    rig: Rig, apis: tuple[str, str]
) -> None:
    session = await rig.session()
    async with rig.following(session, apis=apis) as follower:
        await rig.say(session, SLOW.text(), api=apis[1])
        for cut, count in (("turn.started", 1), ("tool.completed", 1), (DELTA, 1), (DELTA, 4)):
            await follower.until_type(cut, count=count)
            await follower.reconnect()
        outcome = await follower.until_outcome()

    cut_at = [cursor["since_id"] for cursor in follower.cursors[1:]]
    ids = {frame.id: frame for frame in follower.frames}
    assert outcome.type == "turn.completed"
    assert {ids[id_].type.endswith(".delta") for id_ in cut_at} == {True, False}
    assert_gapless(follower.frames)
    assert_accumulated(follower.frames)
    await rig.assert_sound()


async def test_a_killed_engine_is_replaced_by_the_other(rig: Rig, apis: tuple[str, str]) -> None:
    """Its worker attaches anew, and whichever engine then holds the turn ends it."""
    session = await rig.session()
    async with rig.following(session, apis=apis[:1]) as follower:
        await rig.say(session, SLOW.text(), api=apis[1])
        await follower.until_type(DELTA)

        back = rig.kill("engine-2")
        taken = await rig.insist(session, "Hello", api=apis[0])
        outcome = await follower.until_outcome()
        await follower.until_taken_up(taken.message_id)
        await back()

    print(f"the other engine took the message at try {len(taken.statuses)}")
    assert outcome.type == "turn.completed"
    assert taken.statuses == [201]
    assert follower.taken_up() == follower.inputs()
    assert_gapless(follower.frames)
    await rig.assert_sound()


async def test_the_calls_of_one_turn_are_shared_among_workers(
    rig: Rig, apis: tuple[str, str]
) -> None:
    names = [f"shared{n}" for n in range(4)]
    script = Script([calls(*(("pass_gate", {"gate": name}) for name in names)), {"text": ANSWER}])
    session = await rig.session()
    async with rig.following(session, apis=apis[1:]) as follower:
        await rig.say(session, script.text(), api=apis[0])
        for name in names:
            await rig.until_entered(name)
        for name in names:
            rig.open_gate(name)
        outcome = await follower.until_outcome()

    assert outcome.type == "turn.completed"
    assert len(follower.of("tool.completed")) == 4
    assert [rig.entered(name) for name in names] == [1] * 4
    assert_gapless(follower.frames)
    await rig.assert_sound()
