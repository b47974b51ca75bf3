"""A list of what is to do, which the model writes and reads back in its own conversation."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "stateless_todo_list"
NAME: Final = "To-do List"
TODOS_MAX: Final = 100

_TODO: Final[Json] = {
    "type": "object",
    "properties": {
        "content": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1000,
            "description": "What is to be done, as an order: Run the tests.",
        },
        "activeForm": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1000,
            "description": "The same while it is under way: Running the tests.",
        },
        "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
    },
    "required": ["content", "activeForm", "status"],
    "additionalProperties": False,
}

WRITE_TODOS: Final = ToolDefinition(
    name="write_todos",
    display_name="Write Todos",
    description="Writes the whole list of what is to do. Send every item each time.",
    category="productivity",
    parameters={
        "type": "object",
        "properties": {
            "todos": {
                "type": "array",
                "items": _TODO,
                "maxItems": TODOS_MAX,
                "description": "All items, in the order in which they are done.",
            }
        },
        "required": ["todos"],
        "additionalProperties": False,
    },
    hints=ToolHints(
        readonly=True,
        idempotent=True,
        concurrency_class="session_todos",
        capability_id=ID,
        capability_name=NAME,
    ),
    deferrable="never",
    policy="auto",
    effect_class="pure",
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "For work of three steps and more, keep a list with write_todos: write it before you "
        "start, keep exactly one item in_progress, and mark an item completed as soon as it is "
        "done. Simple requests need no list."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (WRITE_TODOS,)


STATELESS_TODO_LIST = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent plan with a list that people can watch.",
        status="available",
        category="productivity",
        icon="list-checks",
        features=("todos",),
    ),
    prompt=_prompt,
    tools=_tools,
)
