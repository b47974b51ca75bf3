"""A shell in an interpreter of its own, on the files of the workspace and nothing else."""

from typing import Final

from mainspring_harness.builtin.session_file_system import CLASS
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "bashkit_shell"
NAME: Final = "Bash"
TIMEOUT_S_DEFAULT: Final = 30
TIMEOUT_S_MAX: Final = 90
"""Below what any tool call may last, so that the shell's own end comes first."""

BASH: Final = ToolDefinition(
    name="bash",
    display_name="Bash",
    description=(
        "Runs a bash script on the files of the workspace. Each call is a new shell that starts in "
        "/workspace; files stay, variables do not. No network, and no programs but the built-in "
        "ones: coreutils, grep, sed, awk, jq, find, sort, tar, diff and the like."
    ),
    category="file_system",
    parameters={
        "type": "object",
        "properties": {
            "commands": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100_000,
                "description": "The script.",
            },
            "timeout_seconds": {
                "type": "integer",
                "minimum": 1,
                "maximum": TIMEOUT_S_MAX,
                "description": f"Ends the script after so long. Default: {TIMEOUT_S_DEFAULT}.",
            },
        },
        "required": ["commands"],
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
    deferrable="never",
    policy="auto",
    effect_class="idempotent",
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "bash works on the same files as the file tools. What a script writes below /workspace is "
        "kept when it ends, also with an error; what it writes elsewhere is gone."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (BASH,)


BASHKIT_SHELL = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Runs shell scripts on the workspace in a sandbox, without host or network.",
        status="available",
        category="file_system",
        icon="terminal",
        dependencies=("session_file_system",),
        features=("file_system",),
        aliases=("bash", "virtual_bash"),
        risk_level="medium",
    ),
    prompt=_prompt,
    tools=_tools,
)
