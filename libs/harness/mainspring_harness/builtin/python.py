"""Python in a process of its own that can reach the workspace's files and nothing else."""

from typing import Final

from mainspring_harness.builtin.session_file_system import CLASS
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "python"
NAME: Final = "Python"
TIMEOUT_S_DEFAULT: Final = 30
TIMEOUT_S_MAX: Final = 90
"""Below what any tool call may last, so that the sandbox's own end comes first."""

PYTHON: Final = ToolDefinition(
    name="python",
    display_name="Python",
    description=(
        "Runs Python in a sandbox on the files of the workspace and returns what it prints and the "
        "value of its last expression. A subset of the language with a small standard library "
        "(json, re, math, datetime, pathlib and the like); no packages, network or processes. Each "
        "call starts anew in /workspace."
    ),
    category="file_system",
    parameters={
        "type": "object",
        "properties": {
            "code": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100_000,
                "description": "The program.",
            },
            "timeout_seconds": {
                "type": "integer",
                "minimum": 1,
                "maximum": TIMEOUT_S_MAX,
                "description": f"Ends the program after so long. Default: {TIMEOUT_S_DEFAULT}.",
            },
        },
        "required": ["code"],
        "additionalProperties": False,
    },
    hints=ToolHints(
        readonly=False,
        destructive=True,
        idempotent=True,
        long_running=True,
        persist_output=True,
        concurrency_class=CLASS,
        capability_id=ID,
        capability_name=NAME,
    ),
    policy="auto",
    effect_class="idempotent",
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "python works on the same files as the file tools. What a program writes below /workspace "
        "is kept when it ends, also with an error."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (PYTHON,)


PYTHON_SANDBOX = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Runs Python on the workspace in a sandbox, without host or network.",
        status="available",
        category="file_system",
        icon="code",
        dependencies=("session_file_system",),
        features=("file_system",),
        risk_level="medium",
    ),
    prompt=_prompt,
    tools=_tools,
)
