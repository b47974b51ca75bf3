"""Weather from a hash of the place and the day's number: made up, and always the same."""

import hashlib
from typing import Final

from mainspring_harness.builtin.weather import FORECAST_DAYS_MAX
from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

_CONDITIONS: Final = ("sunny", "partly cloudy", "cloudy", "light rain", "thunderstorm", "snow")
_DAYS: Final = 3


async def get_weather(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """The made-up weather of today."""
    return ToolOutcome(result={"location": arguments["location"], **_weather(arguments, 0)})


async def get_forecast(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """The made-up weather of the next days."""
    asked = arguments.get("days", _DAYS)
    days = min(max(asked, 1), FORECAST_DAYS_MAX) if isinstance(asked, int) else _DAYS
    forecast = [{"day": day, **_weather(arguments, day)} for day in range(days)]
    return ToolOutcome(result={"location": arguments["location"], "forecast": forecast})


def _weather(arguments: Json, day: int) -> Json:
    units = arguments.get("units", "celsius")
    place = str(arguments["location"]).strip().lower()
    draw = hashlib.sha256(f"{place}/{day}".encode()).digest()
    celsius = draw[0] % 40 - 5
    return {
        "temperature": celsius if units == "celsius" else round(celsius * 9 / 5 + 32),
        "units": units,
        "condition": _CONDITIONS[draw[1] % len(_CONDITIONS)],
        "humidity_percent": 30 + draw[2] % 60,
    }
