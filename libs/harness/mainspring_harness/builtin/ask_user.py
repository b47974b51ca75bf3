"""Questions to the people behind a session: the turn waits for their answers."""

from typing import Final

from mainspring_harness.capability import Applied, Capability, Info, PromptContext, config_of
from mainspring_harness.questions import OPTIONS_MAX, QUESTIONS_MAX
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "ask_user"
NAME: Final = "Ask User"
TIMEOUT_S_DEFAULT: Final = 300
TIMEOUT_S_MAX: Final = 7 * 86_400
"""A session that waits holds no worker; a week is what a person on leave may need."""

_QUESTION: Final[Json] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 64},
        "question": {"type": "string", "minLength": 1, "maxLength": 2000},
        "type": {"type": "string", "enum": ["choice", "text", "secret"]},
        "options": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 500},
            "maxItems": OPTIONS_MAX,
            "uniqueItems": True,
            "description": "Of a choice: what may be chosen, two or more.",
        },
        "multiple": {"type": "boolean", "description": "Whether several may be chosen."},
        "allow_other": {"type": "boolean", "description": "Whether own words are welcome."},
        "default": {
            "type": "string",
            "maxLength": 500,
            "description": "What counts where nobody answers in time.",
        },
    },
    "required": ["id", "question", "type"],
    "additionalProperties": False,
}

ASK: Final = ToolDefinition(
    name="ask_user",
    display_name="Ask User",
    description=(
        "Asks the user and waits for the answer. A secret is answered with its name in the "
        "session's secrets, never with its value."
    ),
    category="core",
    parameters={
        "type": "object",
        "properties": {
            "questions": {
                "type": "array",
                "items": _QUESTION,
                "minItems": 1,
                "maxItems": QUESTIONS_MAX,
            }
        },
        "required": ["questions"],
        "additionalProperties": False,
    },
    hints=ToolHints(readonly=True, long_running=True, capability_id=ID, capability_name=NAME),
    deferrable="never",
    policy="auto",
    effect_class="pure",
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Ask with ask_user what only the user can know or decide, all questions of one matter in "
        "one call. Do not ask for what you can find out, nor for leave to use your tools."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (ASK,)


ASK_USER: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent put questions to the user; the turn waits for the answers.",
        status="available",
        category="core",
        icon="message-circle-question",
        features=("ask_user",),
        config_schema={
            "type": "object",
            "properties": {
                "timeout_seconds": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": TIMEOUT_S_MAX,
                    "description": (
                        "How long the turn waits; then the model is told, with the defaults of "
                        f"its questions. Default: {TIMEOUT_S_DEFAULT}."
                    ),
                }
            },
            "additionalProperties": False,
        },
    ),
    prompt=_prompt,
    tools=_tools,
)


def timeout_s(applied: tuple[Applied, ...]) -> int:
    """How long a question waits for its answer."""
    config = config_of(applied, ID)
    value = None if config is None else config.get("timeout_seconds")
    return value if isinstance(value, int) else TIMEOUT_S_DEFAULT
