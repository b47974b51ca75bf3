"""A conversation of any length: the prompt holds its end, a tool finds what came before."""

from typing import Final

from mainspring_harness.capability import Applied, Capability, Info, PromptContext, config_of
from mainspring_harness.windows import FIRST_MESSAGES_MAX, Window
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "infinity_context"
NAME: Final = "Infinity Context"
MATCHES_DEFAULT: Final = 20
MATCHES_MAX: Final = 100
CONTEXT_LINES_DEFAULT: Final = 3
_DEFAULT: Final = Window()

_COUNT: Final[Json] = {"type": "integer", "minimum": 0}


def _between(description: str, bound: Json) -> Json:
    return {
        "type": "object",
        "properties": {"from": bound, "to": bound},
        "additionalProperties": False,
        "description": description,
    }


QUERY_HISTORY: Final = ToolDefinition(
    name="query_history",
    display_name="Query History",
    description=(
        "Finds earlier messages of this conversation, also those that are not shown any more. "
        "Without a query it returns the messages of the given range."
    ),
    category="context",
    parameters={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "maxLength": 500,
                "description": "Words that a message must contain, in any order and case.",
            },
            "message_range": _between("Numbers of messages, the first is 1; inclusive.", _COUNT),
            "time_range": _between(
                "Times as RFC 3339; inclusive.", {"type": "string", "format": "date-time"}
            ),
            "message_types": {
                "type": "array",
                "items": {"type": "string", "enum": ["user", "assistant", "tool_result"]},
                "description": "Default: all.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MATCHES_MAX,
                "description": f"The newest so many. Default: {MATCHES_DEFAULT}.",
            },
            "context_lines": {
                "type": "integer",
                "minimum": 0,
                "maximum": 20,
                "description": (
                    f"Lines around a line that fits. Default: {CONTEXT_LINES_DEFAULT}."
                ),
            },
        },
        "additionalProperties": False,
    },
    hints=ToolHints(readonly=True, idempotent=True, capability_id=ID, capability_name=NAME),
    deferrable="never",
    policy="auto",
    effect_class="pure",
)


def window(applied: tuple[Applied, ...]) -> Window | None:
    """None where the agent sees its whole conversation."""
    config = config_of(applied, ID)
    if config is None:
        return None
    asked = {name: value for name, value in config.items() if isinstance(value, int)}
    return Window(
        budget_tokens=asked.get("context_budget_tokens", _DEFAULT.budget_tokens),
        recent_min=asked.get("min_recent_messages", _DEFAULT.recent_min),
        recent_max=asked.get("max_recent_messages"),
        first=asked.get("keep_first_messages", _DEFAULT.first),
    )


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Of a long conversation you see the end. What came before is not lost: find it with "
        "query_history before you say that you do not know, or ask again."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (QUERY_HISTORY,)


def _problems(config: Json) -> tuple[str, ...]:
    least, most = config.get("min_recent_messages"), config.get("max_recent_messages")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        return ("min_recent_messages is above max_recent_messages",)
    return ()


INFINITY_CONTEXT: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Shows the agent the end of a long conversation, and lets it search the rest.",
        status="available",
        category="context",
        icon="infinity",
        config_schema={
            "type": "object",
            "properties": {
                "context_budget_tokens": {
                    "type": "integer",
                    "minimum": 500,
                    "maximum": 10_000_000,
                    "description": (f"What messages may take. Default: {_DEFAULT.budget_tokens}."),
                },
                "min_recent_messages": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 1_000,
                    "description": (f"Shown whatever they take. Default: {_DEFAULT.recent_min}."),
                },
                "max_recent_messages": {
                    "type": ["integer", "null"],
                    "minimum": 1,
                    "maximum": 100_000,
                    "description": "Shown at most. Default: as many as fit.",
                },
                "keep_first_messages": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": FIRST_MESSAGES_MAX,
                    "description": "From the beginning. Default: 0.",
                },
            },
            "additionalProperties": False,
        },
    ),
    config_problems=_problems,
    prompt=_prompt,
    tools=_tools,
)
