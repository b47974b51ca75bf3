"""Listeners of an installed package: one stuck for ever, one that always fails, one that works."""

import pytest

from tests.e2e.rig import Rig, Script, calls, until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]


def noted(rig: Rig, listener: str) -> list[str]:
    return [
        line
        for path in rig.gates.glob(f"listener-{listener}-*.txt")
        for line in path.read_text().splitlines()
    ]


async def test_stuck_and_failing_listeners_cost_no_turn_and_no_other_listener(rig: Rig) -> None:
    script = Script([calls(("get_weather", {"location": "Lisbon"})), {"text": "Mild."}])
    session = await rig.session()
    async with rig.following(session) as follower:
        for turn in range(1, 4):
            await rig.say(session, script.text())
            outcome = await follower.until_outcome(turns=turn)
            assert outcome.type == "turn.completed"
    told = [
        f"{session.removeprefix('session_')} {frame.sequence} {frame.type}"
        for frame in follower.frames
        if not frame.type.endswith(".delta")
    ]

    await until(lambda: set(told) <= set(noted(rig, "noting")), "the third listener heard it all")

    mine = [line for line in noted(rig, "noting") if line in set(told)]
    processes = len(list(rig.gates.glob("listener-stuck-*.txt")))
    # api commits the session's first event, the engine all others; each process has listeners.
    assert told[0].endswith(" 1 session.started")
    assert sorted(mine, key=told.index) == told
    assert [line for line in mine if line != told[0]] == told[1:]
    assert len(noted(rig, "stuck")) == processes
    assert len(noted(rig, "failing")) > processes
    assert "listener failing failed" in rig.log_of("engine")
