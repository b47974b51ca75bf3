"""What a call is for, in the model's own words: asked with each call, kept from its tool.

People who watch read it as the call's narration. It is one more argument in the schema that the
model sees, taken out before the arguments are checked and sent.
"""

from typing import Final

import msgspec
from msgspec import structs

from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import Json

ARGUMENT: Final = "human_intent"
CAPABILITY: Final = "human_intent"
"""The capability of an agent that is asked."""
CHARS_MAX: Final = 200
"""A line that people read while the call runs."""
_SCHEMA: Final[Json] = {
    "type": "string",
    "maxLength": CHARS_MAX,
    "description": "What this call is for, in a few words for the people who watch.",
}


def asking(definition: ToolDefinition) -> ToolDefinition:
    """The tool with the argument; as it is where it has one of that name, or no such schema."""
    full = definition.full_parameters
    return structs.replace(
        definition,
        parameters=_with_argument(definition.parameters),
        full_parameters=None if full is None else _with_argument(full),
    )


def told(parsed: object) -> tuple[object, str | None]:
    """The arguments that are the tool's own, and the intent where one was told."""
    try:
        own = msgspec.convert(parsed, dict[str, object])
    except msgspec.ValidationError:
        return parsed, None
    said = own.pop(ARGUMENT, None)
    line = " ".join(said.split())[:CHARS_MAX] if isinstance(said, str) else ""
    return own, line or None


def has_argument(definition: ToolDefinition) -> bool:
    """Whether the argument of that name is the tool's own."""
    properties = (definition.full_parameters or definition.parameters).get("properties")
    return isinstance(properties, dict) and ARGUMENT in properties


def _with_argument(parameters: Json) -> Json:
    properties = parameters.get("properties", {})
    if not isinstance(properties, dict):
        return parameters
    return {**parameters, "type": "object", "properties": {ARGUMENT: _SCHEMA, **properties}}
