"""The tools of this worker, found by name."""

from collections.abc import Iterable

from mainspring_harness.builtin.arithmetic import TEST_MATH
from mainspring_harness.builtin.current_time import CURRENT_TIME
from mainspring_harness.builtin.weather import TEST_WEATHER
from mainspring_worker.adapters.builtin_tools.arithmetic import OPERATIONS, operation
from mainspring_worker.adapters.builtin_tools.current_time import get_current_time
from mainspring_worker.adapters.builtin_tools.function import FunctionTool
from mainspring_worker.adapters.builtin_tools.weather import get_forecast, get_weather
from mainspring_worker.ports.tool import Tool


class Shelf:
    """A `ToolBox` over a fixed set. A name may come once per capability."""

    def __init__(self, tools: Iterable[FunctionTool]) -> None:
        self._tools = {(tool.capability_id, tool.definition.name): tool for tool in tools}

    def find(self, name: str, capability_id: str | None) -> Tool | None:
        # A tool that no capability brought has no code here: a tier can name tools, not make them.
        return None if capability_id is None else self._tools.get((capability_id, name))


def builtin_tools() -> Shelf:
    """Every tool that the built-in capabilities define."""
    functions = {
        "get_current_time": get_current_time,
        "get_weather": get_weather,
        "get_forecast": get_forecast,
        **{name: operation(name) for name in OPERATIONS},
    }
    return Shelf(
        FunctionTool(definition, capability.info.id, functions[definition.name])
        for capability in (CURRENT_TIME, TEST_MATH, TEST_WEATHER)
        for definition in capability.tools({})
    )
