"""Lets people read what each call of a tool is for."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_harness.intents import ARGUMENT, CAPABILITY
from mainspring_schema.messages import Json

ID: Final = CAPABILITY


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        f"People watch your work. With each call of a tool give {ARGUMENT}: a few words, in their "
        "language, that say what the call is for."
    )


HUMAN_INTENT: Final = Capability(
    info=Info(
        id=ID,
        name="Human Intent",
        description="Has the model say with each call of a tool what it is for.",
        status="available",
        category="core",
        icon="message-circle",
    ),
    prompt=_prompt,
)
