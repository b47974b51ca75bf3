"""Refuses a call that only repeats what was already answered."""

from typing import Final

from mainspring_harness.capability import Applied, Capability, Info, config_of

ID: Final = "loop_detection"
THRESHOLD_DEFAULT: Final = 3

LOOP_DETECTION: Final = Capability(
    info=Info(
        id=ID,
        name="Loop Detection",
        description=(
            "Refuses a tool call that had the same outcome several times in a row, and tells the "
            "model so; a model that goes on ends its turn as failed."
        ),
        status="available",
        category="safety",
        icon="repeat",
        config_schema={
            "type": "object",
            "properties": {
                "threshold": {
                    "type": "integer",
                    "minimum": 2,
                    "maximum": 20,
                    "description": f"The call that is refused. Default: {THRESHOLD_DEFAULT}.",
                }
            },
            "additionalProperties": False,
        },
        is_guardrail=True,
    )
)


def threshold(applied: tuple[Applied, ...]) -> int | None:
    """None where the agent is not watched."""
    config = config_of(applied, ID)
    if config is None:
        return None
    value = config.get("threshold", THRESHOLD_DEFAULT)
    return value if isinstance(value, int) else THRESHOLD_DEFAULT
