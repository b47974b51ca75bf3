"""Files of the session's workspace: read, written, edited by content hash, found, moved."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "session_file_system"
NAME: Final = "File System"
CLASS: Final = "session_workspace"
LINES_DEFAULT: Final = 2_000
MATCHES_DEFAULT: Final = 100
MATCHES_MAX: Final = 500
ENTRIES_DEFAULT: Final = 500
ENTRIES_MAX: Final = 2_000
READ_MANY_MAX: Final = 20
EDITS_MAX: Final = 50

_PATH: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1024,
    "description": "Path in the workspace, such as src/app.py or /workspace/src/app.py.",
}
_FOLDER: Final[Json] = {
    **_PATH,
    "description": "Directory to look in. Default: the whole workspace.",
}
_PATTERN: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000,
    "description": "Regular expression (RE2 syntax), matched line by line.",
}
_GLOB: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000,
    "description": "Only files whose path matches, such as **/*.py. ** crosses directories.",
}
_IGNORE_CASE: Final[Json] = {"type": "boolean", "description": "Default: false."}
_OVERWRITE: Final[Json] = {
    "type": "boolean",
    "description": "Replace a file that is at the destination. Default: false.",
}
_HASH: Final[Json] = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "description": "content_hash of the file as it was last read.",
}
_EDIT: Final[Json] = {
    "type": "object",
    "properties": {
        "old_string": {
            "type": "string",
            "minLength": 1,
            "description": "Text to replace, exactly as it is in the file; it must occur once.",
        },
        "new_string": {"type": "string", "description": "What stands there afterwards."},
        "replace_all": {
            "type": "boolean",
            "description": "Replace every occurrence. Default: false.",
        },
    },
    "required": ["old_string", "new_string"],
    "additionalProperties": False,
}


def _at_most(default: int, most: int) -> Json:
    return {
        "limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": most,
            "description": f"Default: {default}.",
        }
    }


def _tool(
    name: str,
    description: str,
    properties: Json,
    required: tuple[str, ...] = (),
    *,
    hints: ToolHints | None = None,
    effect_class: EffectClass = "idempotent",
) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        display_name=name.replace("_", " ").title(),
        description=description,
        category="file_system",
        parameters={
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
        hints=hints or _WRITES,
        policy="auto",
        effect_class=effect_class,
    )


def _hints(
    *, readonly: bool, cpu_bound: bool | None = None, destructive: bool = False
) -> ToolHints:
    return ToolHints(
        readonly=readonly,
        destructive=destructive,
        idempotent=True,
        cpu_bound=cpu_bound,
        # Reads may overtake each other; writers of one workspace go one by one.
        concurrency_class=None if readonly else CLASS,
        capability_id=ID,
        capability_name=NAME,
    )


_READS: Final = _hints(readonly=True)
_SEARCHES: Final = _hints(readonly=True, cpu_bound=True)
_WRITES: Final = _hints(readonly=False)
_REMOVES: Final = _hints(readonly=False, destructive=True)


def _reads(
    name: str,
    description: str,
    properties: Json,
    required: tuple[str, ...] = (),
    hints: ToolHints = _READS,
) -> ToolDefinition:
    return _tool(name, description, properties, required, hints=hints, effect_class="pure")


TOOLS: Final = (
    _reads(
        "read_file",
        "Reads a file, whole or some of its lines, with the content_hash an edit needs.",
        {
            "path": _PATH,
            "offset": {
                "type": "integer",
                "minimum": 1,
                "description": "First line to return, counted from 1. Default: 1.",
            },
            **_at_most(LINES_DEFAULT, LINES_DEFAULT),
        },
        ("path",),
    ),
    _reads(
        "read_many_files",
        f"Reads up to {READ_MANY_MAX} small files at once.",
        {
            "paths": {
                "type": "array",
                "items": _PATH,
                "minItems": 1,
                "maxItems": READ_MANY_MAX,
                "description": "The files to read.",
            }
        },
        ("paths",),
    ),
    _tool(
        "write_file",
        "Makes a file, or replaces all it holds. Directories are made as needed.",
        {
            "path": _PATH,
            "content": {"type": "string", "description": "What the file holds afterwards."},
            "encoding": {
                "type": "string",
                "enum": ["text", "base64"],
                "description": "Of content. Default: text.",
            },
            "content_hash": {
                **_HASH,
                "description": "Write only over this very content. Default: over any.",
            },
        },
        ("path", "content"),
    ),
    _tool(
        "edit_file",
        "Replaces pieces of a text file. Refused where the file changed since it was read, unless "
        "each piece still occurs exactly once.",
        {
            "path": _PATH,
            "content_hash": _HASH,
            "edits": {
                "type": "array",
                "items": _EDIT,
                "minItems": 1,
                "maxItems": EDITS_MAX,
                "description": "Carried out in order, all of them or none.",
            },
        },
        ("path", "content_hash", "edits"),
    ),
    _reads(
        "list_directory",
        "Lists what is in a directory.",
        {
            "path": {**_FOLDER, "description": "Default: the root of the workspace."},
            "recursive": {"type": "boolean", "description": "All below it too. Default: false."},
            **_at_most(ENTRIES_DEFAULT, ENTRIES_MAX),
        },
    ),
    _reads(
        "glob",
        "Finds files whose path matches a pattern.",
        {"pattern": _GLOB, "path": _FOLDER, **_at_most(ENTRIES_DEFAULT, ENTRIES_MAX)},
        ("pattern",),
    ),
    _reads(
        "grep",
        "Finds lines that match a regular expression.",
        {
            "pattern": _PATTERN,
            "path": _FOLDER,
            "glob": _GLOB,
            "ignore_case": _IGNORE_CASE,
            "context_lines": {
                "type": "integer",
                "minimum": 0,
                "maximum": 10,
                "description": "Lines to show before and after each match. Default: 0.",
            },
            **_at_most(MATCHES_DEFAULT, MATCHES_MAX),
        },
        ("pattern",),
        _SEARCHES,
    ),
    _reads(
        "grep_files",
        "Finds files that hold a line which matches a regular expression, and counts such lines.",
        {
            "pattern": _PATTERN,
            "path": _FOLDER,
            "glob": _GLOB,
            "ignore_case": _IGNORE_CASE,
            **_at_most(MATCHES_DEFAULT, MATCHES_MAX),
        },
        ("pattern",),
        _SEARCHES,
    ),
    _reads(
        "stat_file",
        "Tells size, kind, times and content_hash of what is at a path.",
        {"path": _PATH},
        ("path",),
    ),
    _tool(
        "move_file",
        "Gives a file or a directory another path.",
        {"source": _PATH, "destination": _PATH, "overwrite": _OVERWRITE},
        ("source", "destination"),
        hints=_REMOVES,
    ),
    _tool(
        "copy_file",
        "Copies a file or a directory.",
        {"source": _PATH, "destination": _PATH, "overwrite": _OVERWRITE},
        ("source", "destination"),
    ),
    _tool(
        "delete_file",
        "Removes a file or a directory.",
        {
            "path": _PATH,
            "recursive": {
                "type": "boolean",
                "description": "Also a directory that holds something. Default: false.",
            },
        },
        ("path",),
        hints=_REMOVES,
    ),
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "You have a workspace of files that lasts as long as this session. Its root is /workspace; "
        "relative paths start there. Read a file before you edit it: edit_file needs the "
        "content_hash that read_file gave. Results that were too long are kept below /outputs."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return TOOLS


SESSION_FILE_SYSTEM = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Gives the agent the files of the session's workspace.",
        status="available",
        category="file_system",
        icon="folder",
        features=("file_system",),
        risk_level="low",
    ),
    prompt=_prompt,
    tools=_tools,
)
