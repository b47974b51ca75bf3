"""The list is in the conversation: the call holds it, the result counts it."""

from collections import Counter

import msgspec

from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


class _Todo(msgspec.Struct, frozen=True, kw_only=True):
    content: str
    activeForm: str  # noqa: N815 - the wire's name
    status: str


async def write_todos(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Takes the list as it is, and says where it is odd."""
    todos = msgspec.convert(arguments["todos"], tuple[_Todo, ...])
    count = Counter(todo.status for todo in todos)
    result: Json = {
        "success": True,
        "total": len(todos),
        **{status: count[status] for status in ("pending", "in_progress", "completed")},
    }
    if count["in_progress"] > 1:
        result["warning"] = "more than one item is in_progress"
    elif count["pending"] and not count["in_progress"]:
        result["warning"] = "no item is in_progress although some are pending"
    return ToolOutcome(result=result)
