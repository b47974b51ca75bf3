from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


async def get_current_time(arguments: Json, context: ToolContext) -> ToolOutcome:
    """The time of the worker's clock, in whole seconds."""
    name = str(arguments.get("timezone") or "UTC")
    try:
        zone = UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return error(f"unknown time zone {name!r}; give an IANA name such as Europe/Kyiv")
    seconds = context.clock.wall_ms() // 1000
    moment = datetime.fromtimestamp(seconds, zone)
    result: Json = {"timezone": name}
    match arguments.get("format"):
        case "unix":
            result["current_time"] = seconds
        case "human":
            result["current_time"] = moment.strftime("%A, %d %B %Y, %H:%M:%S %Z")
        case _:
            result["current_time"] = moment.isoformat()
    return ToolOutcome(result=result)
