"""Holds tool calls back until a person allows them."""

from typing import Final, Literal

from msgspec import Struct

from mainspring_harness.capability import Applied, Capability, Info, read_config

ID: Final = "tool_approval"
EXPIRES_S_DEFAULT: Final = 15 * 60
EXPIRES_S_MAX: Final = 7 * 86_400

Rule = Literal["ask", "allow", "reject"]

TOOL_APPROVAL: Final = Capability(
    info=Info(
        id=ID,
        name="Tool Approval",
        description=(
            "Holds calls of tools back until a person allows or rejects them. The turn waits and "
            "holds no worker meanwhile; silence never approves."
        ),
        status="available",
        category="safety",
        icon="shield-check",
        features=("tool_approval",),
        config_schema={
            "type": "object",
            "properties": {
                "mode": {
                    "type": "string",
                    "enum": ["protective", "normal", "off"],
                    "description": (
                        "`protective` asks for every tool that is not read-only, `normal` for "
                        "those that destroy, or cannot be called twice, `off` for none but those "
                        "under `tools`. Default: normal."
                    ),
                },
                "tools": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "enum": ["ask", "allow", "reject"]},
                    "maxProperties": 128,
                    "description": "By the name of a tool, whatever the mode says.",
                },
                "expires_seconds": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": EXPIRES_S_MAX,
                    "description": (
                        "How long a call waits; then it ends without having been made. "
                        f"Default: {EXPIRES_S_DEFAULT}."
                    ),
                },
            },
            "additionalProperties": False,
        },
        is_guardrail=True,
    )
)


class Approval(Struct, frozen=True, kw_only=True):
    """The configuration in its own words."""

    mode: Literal["protective", "normal", "off"] = "normal"
    tools: dict[str, Rule] = {}
    expires_seconds: int = EXPIRES_S_DEFAULT


def approval(applied: tuple[Applied, ...]) -> Approval | None:
    """None where no call of the agent is held back."""
    return read_config(applied, ID, Approval)
