"""What a session keeps beside its files: small values, and secrets that the model does not see."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.limits import STORED_KEY_CHARS_MAX, STORED_VALUE_BYTES_MAX
from mainspring_schema.messages import Json

ID: Final = "session_storage"
NAME: Final = "Session Storage"
CLASS: Final = "session_storage"

_KEY: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": STORED_KEY_CHARS_MAX,
    "description": "Name of the value. Needed but for list.",
}
_SECRET: Final[Json] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_.-]{1,128}$",
    "description": "Name of the secret. Needed but for list.",
}


def _tool(name: str, description: str, properties: Json, *, secrets: bool) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        display_name=name.replace("_", " ").title().replace("Kv", "KV"),
        description=description,
        category="data",
        parameters={
            "type": "object",
            "properties": properties,
            "required": ["action"],
            "additionalProperties": False,
        },
        hints=ToolHints(
            readonly=False,
            destructive=True,
            idempotent=True,
            requires_secrets=secrets or None,
            concurrency_class=CLASS,
            capability_id=ID,
            capability_name=NAME,
        ),
        policy="auto",
        effect_class="idempotent",
    )


KV_STORE: Final = _tool(
    "kv_store",
    "Stores small texts under keys for the time of the session: set, get, delete, list.",
    {
        "action": {"type": "string", "enum": ["set", "get", "delete", "list"]},
        "key": _KEY,
        "value": {
            "type": "string",
            "maxLength": STORED_VALUE_BYTES_MAX,
            "description": "What set stores in place of what was there.",
        },
        "prefix": {
            "type": "string",
            "maxLength": STORED_KEY_CHARS_MAX,
            "description": "Lists only keys that begin so.",
        },
    },
    secrets=False,
)


def _secret_store(actions: tuple[str, ...], description: str) -> ToolDefinition:
    return _tool(
        "secret_store",
        description,
        {"action": {"type": "string", "enum": list(actions)}, "name": _SECRET},
        secrets=True,
    )


SECRET_STORE: Final = _secret_store(
    ("list", "generate", "delete"),
    "Keeps secrets sealed: lists their names, generates one by chance, deletes one. Their values "
    "are not shown.",
)
REVEALING_SECRET_STORE: Final = _secret_store(
    ("list", "get", "generate", "delete"),
    "Keeps secrets sealed: lists their names, generates one by chance, deletes one, and gets a "
    "value, which then stands in this conversation for good.",
)


def reveals(config: Json) -> bool:
    """Whether the model may see values."""
    return config.get("reveal_secrets") is True


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Remember small facts of this session with kv_store. Secrets are put by people and named "
        "in secret_store; never ask for one in the conversation, and never repeat one."
    )


def _tools(config: Json) -> tuple[ToolDefinition, ...]:
    return (KV_STORE, REVEALING_SECRET_STORE if reveals(config) else SECRET_STORE)


SESSION_STORAGE: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Gives the agent a store of small values, and one of sealed secrets.",
        status="available",
        category="data",
        icon="key-round",
        config_schema={
            "type": "object",
            "properties": {
                "reveal_secrets": {
                    "type": "boolean",
                    "description": (
                        "Lets the model get values of secrets; they then stand in the log. "
                        "Default: false."
                    ),
                }
            },
            "additionalProperties": False,
        },
        features=("storage",),
    ),
    prompt=_prompt,
    tools=_tools,
)
