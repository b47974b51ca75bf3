"""What an agent says of when it comes back."""

from typing import cast

import pytest

from mainspring_harness.arguments import problems
from mainspring_harness.builtin.session_schedule import SESSION_SCHEDULE
from mainspring_schema.messages import Json
from tests.unit.builtin_tools.calling import Caller

OWN = "session_schedule"


async def test_a_schedule_is_made_listed_and_cancelled(caller: Caller) -> None:
    made = await caller.result(OWN, "create_schedule", message="Look.", every_minutes=60)

    listed = await caller.result(OWN, "list_schedules")
    (one,) = cast("list[Json]", listed["schedules"])
    gone = await caller.result(OWN, "cancel_schedule", schedule_id=made["schedule_id"])
    again = await caller.result(OWN, "cancel_schedule", schedule_id=made["schedule_id"])
    assert one == made
    assert (made["every_minutes"], made["message"]) == (60, "Look.")
    assert made["next_at"] is not None
    assert (gone, "note" in again) == ({"success": True}, True)


async def test_the_time_is_told_in_one_way(caller: Caller) -> None:
    for wrong in ({}, {"at": "2100-01-01T00:00:00Z", "every_minutes": 60}):
        outcome = await caller.call(OWN, "create_schedule", {"message": "x", **wrong})
        assert outcome.error is not None
        assert "give one of" in outcome.error
    assert await caller.refusal(OWN, "create_schedule", message="x", at="soon")


@pytest.mark.parametrize(
    "timing",
    [{"every_minutes": 4}, {"cron": "* * * * *"}, {"cron": "*/5 * * * *"}, {"cron": "1,2 * * * *"}],
)
def test_nobody_comes_back_every_minute(timing: Json) -> None:
    create = SESSION_SCHEDULE.tools({})[0]

    assert problems(create.name, create.parameters, {"message": "x", **timing})
