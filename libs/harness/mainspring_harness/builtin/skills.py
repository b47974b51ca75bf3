"""Skills in the format of agentskills.io: folders of instructions that an agent opens when needed.

Disclosed step by step: names and descriptions first, the instructions when a skill is activated,
and its other files when the instructions ask for them.
"""

from typing import Final

from mainspring_harness.builtin.session_file_system import CLASS
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "skills"
NAME: Final = "Skills"
FOLDER: Final = "/.agents/skills"
"""Where the skills of a workspace are: a folder each, or an archive that becomes one."""

_NAME: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
    "description": "Name of the skill, as list_skills gives it.",
}

LIST_SKILLS: Final = ToolDefinition(
    name="list_skills",
    display_name="List Skills",
    description="Lists the skills of this workspace with what each is for.",
    category="skills",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    hints=ToolHints(readonly=True, idempotent=True, capability_id=ID, capability_name=NAME),
    policy="auto",
    effect_class="pure",
)
ACTIVATE_SKILL: Final = ToolDefinition(
    name="activate_skill",
    display_name="Activate Skill",
    description=(
        "Returns a skill's instructions and the paths of its other files. Follow the instructions, "
        "and read those files only when they are needed."
    ),
    category="skills",
    parameters={
        "type": "object",
        "properties": {
            "name": _NAME,
            "arguments": {
                "type": "string",
                "maxLength": 10_000,
                "description": "What stands for $ARGUMENTS in the instructions.",
            },
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    hints=ToolHints(
        readonly=False,
        idempotent=True,
        concurrency_class=CLASS,
        capability_id=ID,
        capability_name=NAME,
    ),
    policy="auto",
    effect_class="idempotent",
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        f"Skills are tested ways to do something, kept below /workspace{FOLDER}. Look with "
        "list_skills whether one fits before you start a larger piece of work, and activate it."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (LIST_SKILLS, ACTIVATE_SKILL)


SKILLS = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent find and follow the skills of its workspace.",
        status="available",
        category="productivity",
        icon="book-open",
        dependencies=("session_file_system",),
        features=("skills",),
    ),
    prompt=_prompt,
    tools=_tools,
)
