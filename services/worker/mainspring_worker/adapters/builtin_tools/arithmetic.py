import math
import operator
from collections.abc import Awaitable, Callable
from typing import Final

from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

Number = int | float

OPERATIONS: Final[dict[str, Callable[[Number, Number], Number]]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


def operation(name: str) -> Callable[[Json, ToolContext], Awaitable[ToolOutcome]]:
    """The tool of that name."""

    async def calculate(arguments: Json, _context: ToolContext) -> ToolOutcome:
        left, right = arguments.get("a"), arguments.get("b")
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return error("a and b must be numbers")
        if name == "divide" and right == 0:
            return error("division by zero")
        try:
            value = OPERATIONS[name](left, right)
        except OverflowError:
            return error("the result is too large")
        if not math.isfinite(value):
            return error("the result is too large")
        return ToolOutcome(result={"result": _plain(value)})

    return calculate


def _plain(value: Number) -> Number:
    """Whole numbers without a fraction, as people write them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
