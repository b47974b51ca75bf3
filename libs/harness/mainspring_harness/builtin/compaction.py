"""Keeps a conversation within what its model can read, by telling its old part shorter."""

from typing import Final

from msgspec import Struct

from mainspring_harness.capability import Applied, Capability, Info, read_config
from mainspring_harness.compacting import Rules, Strategy

ID: Final = "compaction"
CONTEXT_TOKENS_DEFAULT: Final = 128_000
BUDGET_PERCENT_DEFAULT: Final = 0.85
KEEP_OUTPUTS_DEFAULT: Final = 2

COMPACTION: Final = Capability(
    info=Info(
        id=ID,
        name="Compaction",
        description=(
            "Tells the old part of a long conversation shorter before it outgrows the model: old "
            "outputs of tools are left out, then a summary stands for what was said. The log keeps "
            "everything."
        ),
        status="available",
        category="context",
        icon="fold-vertical",
        dependencies=("infinity_context",),
        config_schema={
            "type": "object",
            "properties": {
                "strategy": {
                    "type": "string",
                    "enum": ["auto", "observation_masking", "summarization"],
                    "description": "Default: auto, outputs first, then a summary.",
                },
                "proactive": {
                    "type": "boolean",
                    "description": (
                        "Before the budget is passed; otherwise only once a model refuses a "
                        "prompt as too long. Default: true."
                    ),
                },
                "context_tokens": {
                    "type": "integer",
                    "minimum": 1_000,
                    "maximum": 10_000_000,
                    "description": (f"What the model can read. Default: {CONTEXT_TOKENS_DEFAULT}."),
                },
                "budget_percent": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "maximum": 1,
                    "description": (
                        f"The part of it that is used. Default: {BUDGET_PERCENT_DEFAULT}."
                    ),
                },
                "observation_masking": {
                    "type": "object",
                    "properties": {
                        "keep_recent_tool_outputs": {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": 1_000,
                            "description": f"Default: {KEEP_OUTPUTS_DEFAULT}.",
                        }
                    },
                    "additionalProperties": False,
                },
                "summarization": {
                    "type": "object",
                    "properties": {
                        "instructions": {
                            "type": "string",
                            "maxLength": 4_000,
                            "description": "What a summary must not leave out.",
                        }
                    },
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
    )
)


class _Masking(Struct, frozen=True):
    keep_recent_tool_outputs: int = KEEP_OUTPUTS_DEFAULT


class _Summarization(Struct, frozen=True):
    instructions: str = ""


class _Config(Struct, frozen=True):
    strategy: Strategy = "auto"
    proactive: bool = True
    context_tokens: int = CONTEXT_TOKENS_DEFAULT
    budget_percent: float = BUDGET_PERCENT_DEFAULT
    observation_masking: _Masking = _Masking()
    summarization: _Summarization = _Summarization()


def rules(applied: tuple[Applied, ...]) -> Rules | None:
    """None where the agent's conversation is left as it is."""
    config = read_config(applied, ID, _Config)
    if config is None:
        return None
    return Rules(
        strategy=config.strategy,
        budget_tokens=round(config.context_tokens * config.budget_percent),
        keep_outputs=config.observation_masking.keep_recent_tool_outputs,
        proactive=config.proactive,
        instructions=config.summarization.instructions,
    )
