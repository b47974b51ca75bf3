"""`create_schedule`, `cancel_schedule` and `list_schedules`: messages to the session, later."""

from collections.abc import Mapping
from typing import Final, assert_never

from mainspring_kernel.errors import TooManyRequests
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json
from mainspring_schema.schedules import Cron, Interval, Once, Timing
from mainspring_schema.session_schedules import (
    CancelSchedule,
    ListSessionSchedules,
    MakeSchedule,
    SessionSchedule,
)
from mainspring_worker.adapters.builtin_tools.function import Function, error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

_MINUTE_MS: Final = 60_000
_TIMINGS: Final = ("at", "every_minutes", "cron")


async def create_schedule(arguments: Json, context: ToolContext) -> ToolOutcome:
    """The same call makes one schedule, in however many attempts."""
    if sum(name in arguments for name in _TIMINGS) != 1:
        return error(f"give one of {', '.join(_TIMINGS)}")
    order = MakeSchedule(message=str(arguments["message"]), timing=_timing(arguments))
    try:
        return ToolOutcome(result=_shown(await context.resources.change(order)))
    except TooManyRequests as refusal:
        return error(refusal.detail or refusal.title)


async def cancel_schedule(arguments: Json, context: ToolContext) -> ToolOutcome:
    """What it has begun goes on."""
    id_ = str(arguments["schedule_id"])
    done = await context.resources.change(CancelSchedule(id=id_))
    if not done.cancelled:
        return ToolOutcome(result={"success": True, "note": f"there is no schedule {id_} any more"})
    return ToolOutcome(result={"success": True})


async def list_schedules(_arguments: Json, context: ToolContext) -> ToolOutcome:
    """Newest first."""
    listed = await context.resources.ask(ListSessionSchedules())
    rows: list[Json] = [_shown(one) for one in listed.schedules]
    return ToolOutcome(result={"schedules": rows})


def _timing(arguments: Json) -> Timing:
    zone = str(arguments.get("timezone", "UTC"))
    every = arguments.get("every_minutes")
    if isinstance(every, int):
        return Interval(every_ms=every * _MINUTE_MS)
    if "cron" in arguments:
        return Cron(expression=str(arguments["cron"]), timezone=zone)
    return Once(at=str(arguments["at"]), timezone=zone)


def _shown(one: SessionSchedule) -> Json:
    return {
        "schedule_id": one.id,
        "message": one.message,
        **_told(one.timing),
        "next_at": None if one.next_ms is None else rfc3339(one.next_ms),
    }


def _told(timing: Timing) -> Json:
    match timing:
        case Interval():
            return {"every_minutes": timing.every_ms // _MINUTE_MS}
        case Cron():
            return {"cron": timing.expression, "timezone": timing.timezone}
        case Once():
            return {"at": timing.at, "timezone": timing.timezone}
        case _:
            assert_never(timing)


SCHEDULE_TOOLS: Final[Mapping[str, Function]] = {
    "create_schedule": create_schedule,
    "cancel_schedule": cancel_schedule,
    "list_schedules": list_schedules,
}
