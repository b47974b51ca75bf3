"""Schedules that an agent makes for its own session: both stores answer alike."""

from typing import cast

import pytest

from mainspring_api.domain.limits import SESSION_SCHEDULES_MAX
from mainspring_kernel import errors
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, from_wire
from mainspring_schema.frames import Held
from mainspring_schema.schedules import (
    Cron,
    Interval,
    MessageTarget,
    Once,
    OneSchedule,
    SchedulesOfSessions,
    Timing,
)
from mainspring_schema.session_schedules import (
    Cancelled,
    CancelSchedule,
    ListSessionSchedules,
    MakeSchedule,
    SessionSchedule,
    SessionSchedules,
)
from tests.contract.api.test_held_resources import Tool, tool

__all__ = ["tool"]
HOURLY = Interval(every_ms=3_600_000)


async def made(tool: Tool, timing: Timing = HOURLY, key: str = "") -> SessionSchedule:
    return await tool.order(MakeSchedule(message="Look.", timing=timing), SessionSchedule, key)


def of(one: SessionSchedule) -> OneSchedule:
    return OneSchedule(org_id=DEFAULT_ORG_ID, id=from_wire(Prefix.SCHEDULE, one.id))


async def listed(tool: Tool) -> list[str]:
    found = await tool.ask(ListSessionSchedules(), SessionSchedules)
    return [one.id for one in found.schedules]


async def test_a_schedule_sends_a_message_to_the_session(tool: Tool) -> None:
    one = await made(tool, Cron(expression="0 9 * * 1", timezone="Europe/Oslo"))

    target = (await tool.keeper.schedules.get(of(one))).spec.target
    assert cast("MessageTarget", target).session_id == tool.session.id
    assert b'"text":"Look."' in cast("MessageTarget", target).message
    assert one.next_ms is not None
    assert await listed(tool) == [one.id]
    asked = SchedulesOfSessions(org_id=DEFAULT_ORG_ID, session_ids=(tool.session.id,))
    assert (await tool.keeper.schedules.of_sessions(asked)).active == {tool.session.id: 1}


async def test_a_second_attempt_makes_no_second_schedule(tool: Tool) -> None:
    first = await made(tool, key="call")

    assert await made(tool, key="call") == first
    assert await listed(tool) == [first.id]


async def test_a_schedule_is_cancelled_once_and_only_by_its_own_session(tool: Tool) -> None:
    one, other = await made(tool), "schedule_" + "0" * 32

    gone = await tool.order(CancelSchedule(id=one.id), Cancelled)
    again = await tool.order(CancelSchedule(id=one.id), Cancelled)
    foreign = await tool.order(CancelSchedule(id=other), Cancelled)
    assert (gone.cancelled, again.cancelled, foreign.cancelled) == (True, False, False)
    assert await listed(tool) == []


async def test_a_session_has_so_many_and_those_that_are_over_make_room(tool: Tool) -> None:
    first = await made(tool)
    for _ in range(SESSION_SCHEDULES_MAX - 1):
        await made(tool)

    with pytest.raises(errors.Conflict):
        await made(tool)
    await tool.keeper.schedules.delete(of(first))
    newest = await made(tool)
    left = await listed(tool)
    assert (left[0], len(left)) == (newest.id, SESSION_SCHEDULES_MAX)
    assert first.id not in left


@pytest.mark.parametrize("timing", [Cron(expression="99 9 * * 1"), Once(at="soon")])
async def test_a_timing_that_cannot_be_read_leaves_nothing_behind(
    tool: Tool, timing: Timing
) -> None:
    for _ in range(SESSION_SCHEDULES_MAX + 1):
        with pytest.raises(errors.ValidationFailed):
            await made(tool, timing)
    assert await listed(tool) == []


async def test_who_lost_the_task_makes_none(tool: Tool) -> None:
    tool.task = Held(tool.task.task_id, 9)

    with pytest.raises(errors.LeaseLost):
        await made(tool)
    with pytest.raises(errors.LeaseLost):
        await listed(tool)
