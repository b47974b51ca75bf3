"""Checks of what an agent says, calls and reads."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_harness.capability import Applied, Capability, Info, read_config
from mainspring_harness.guarding import STAGES, Check, Rules, pattern_problem
from mainspring_schema.messages import Json

ID: Final = "guardrails"
CHECKS_MAX: Final = 50
"""Each looks at every text of its stages."""

_TEXT: Final[Json] = {"type": "string", "maxLength": 2_000}
_NEEDS: Final = {
    "regex": "pattern",
    "blocklist": "words",
    "tool_pattern": "tools",
    "llm_judge": "instructions",
}
_CHECK: Final[Json] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": list(_NEEDS)},
        "id": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
        "stages": {
            "type": "array",
            "items": {"type": "string", "enum": list(STAGES)},
            "minItems": 1,
            "description": "Default: all.",
        },
        "action": {"type": "string", "enum": ["block", "log"], "description": "Default: block."},
        "mode": {
            "type": "string",
            "enum": ["active", "advisory"],
            "description": "An advisory check never blocks. Default: active.",
        },
        "pattern": {**_TEXT, "description": "A regular expression, without look-around."},
        "words": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "maxItems": 500,
            "description": "Words or phrases, in whatever case.",
        },
        "tools": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "maxItems": 100,
            "description": "Names of tools, with * and ?.",
        },
        "instructions": {**_TEXT, "description": "What a judge must not let pass."},
        "reason_code": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"},
        "replacement": {**_TEXT, "description": "What stands in place of a blocked text."},
    },
    "required": ["type"],
    "additionalProperties": False,
}


class Example(Struct, frozen=True, kw_only=True):
    """A configuration to begin with. `data_egress` says who else sees what is checked."""

    name: str
    display_name: str
    description: str
    config: Json
    tags: tuple[str, ...]
    data_egress: str = "none"

    @property
    def rules(self) -> Rules:
        """Its configuration, read."""
        return msgspec.convert(self.config, Rules)


EXAMPLES: Final = (
    Example(
        name="no-secrets",
        display_name="No secrets",
        description="Withholds keys and private keys, whether said, sent to a tool or read.",
        config={
            "checks": [
                {
                    "id": "keys",
                    "type": "regex",
                    "pattern": r"\b(sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36})\b",
                    "reason_code": "secret",
                },
                {
                    "id": "private_keys",
                    "type": "regex",
                    "pattern": "-----BEGIN [A-Z ]*PRIVATE KEY-----",
                    "reason_code": "secret",
                },
            ]
        },
        tags=("secrets", "privacy"),
    ),
    Example(
        name="personal-data",
        display_name="Personal data",
        description="Withholds numbers of cards and of social security from answers.",
        config={
            "checks": [
                {
                    "id": "cards",
                    "type": "regex",
                    "stages": ["output"],
                    "pattern": r"\b(\d{4}[ -]?){3}\d{4}\b",
                    "reason_code": "personal_data",
                },
                {
                    "id": "ssn",
                    "type": "regex",
                    "stages": ["output"],
                    "pattern": r"\b\d{3}-\d{2}-\d{4}\b",
                    "reason_code": "personal_data",
                },
            ]
        },
        tags=("privacy",),
    ),
    Example(
        name="read-only",
        display_name="Read only",
        description="Blocks tools that change or delete files, and shells.",
        config={
            "checks": [
                {
                    "id": "writers",
                    "type": "tool_pattern",
                    "stages": ["tool_use"],
                    "tools": ["write_*", "edit_*", "delete_*", "move_*", "bash", "python"],
                    "reason_code": "read_only",
                }
            ]
        },
        tags=("tools",),
    ),
    Example(
        name="on-topic",
        display_name="On topic",
        description="Has a model judge whether an answer gives advice that it must not give.",
        config={
            "checks": [
                {
                    "id": "advice",
                    "type": "llm_judge",
                    "stages": ["output"],
                    "instructions": "Medical, legal or financial advice to a person.",
                    "reason_code": "off_topic",
                }
            ],
            "fail_closed": True,
        },
        tags=("topic",),
        data_egress="model",
    ),
)


def rules(applied: tuple[Applied, ...]) -> Rules | None:
    """None for an agent that nothing is checked of."""
    return read_config(applied, ID, Rules)


def _problems(config: Json) -> tuple[str, ...]:
    checks = msgspec.convert(config, Rules).checks
    return tuple(
        f"checks.{index}.{problem}"
        for index, check in enumerate(checks)
        for problem in _check_problems(check)
    )


def _check_problems(check: Check) -> Iterator[str]:
    needed = _NEEDS[check.type]
    if not getattr(check, needed):
        yield f"{needed}: a {check.type} needs it"
    if check.pattern and (problem := pattern_problem(check.pattern)):
        yield f"pattern: {problem}"


GUARDRAILS: Final = Capability(
    info=Info(
        id=ID,
        name="Guardrails",
        description=(
            "Checks what the agent says, calls and reads, by patterns, words, names of tools or a "
            "model's judgement, and blocks it or writes it down."
        ),
        status="available",
        category="safety",
        icon="shield",
        config_schema={
            "type": "object",
            "properties": {
                "checks": {"type": "array", "items": _CHECK, "maxItems": CHECKS_MAX},
                "fail_closed": {
                    "type": "boolean",
                    "description": "Blocks where a judge does not answer. Default: false.",
                },
                "timeout_ms": {
                    "type": "integer",
                    "minimum": 100,
                    "maximum": 60_000,
                    "description": "How long a judge may take. Default: 10000.",
                },
            },
            "additionalProperties": False,
        },
        is_guardrail=True,
    ),
    config_problems=_problems,
)
