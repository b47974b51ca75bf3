"""SQL databases of a session, for data that is too much to read and too regular to grep."""

from typing import Final

from mainspring_harness.builtin.session_file_system import CLASS
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "session_sql_database"
NAME: Final = "SQL Database"
FOLDER: Final = "/.databases"
"""Where the workspace keeps them: SQLite files that people can take away."""
ROWS_DEFAULT: Final = 100
ROWS_MAX: Final = 1_000

_DATABASE: Final[Json] = {
    "type": "string",
    "pattern": "^[a-z][a-z0-9_]{0,62}$",
    "description": "Which database. Made by its first use. Default: main.",
}
_SQL: Final[Json] = {"type": "string", "minLength": 1, "maxLength": 100_000}
_PARAMETERS: Final[Json] = {
    "type": "array",
    "items": {"type": ["string", "number", "boolean", "null"]},
    "maxItems": 500,
    "description": "Values of the ? places, in order.",
}


def _tool(
    name: str, description: str, properties: Json, required: tuple[str, ...], *, reads: bool
) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        display_name=name.replace("_", " ").title().replace("Sql", "SQL"),
        description=description,
        category="data",
        parameters={
            "type": "object",
            "properties": {**properties, "database": _DATABASE},
            "required": list(required),
            "additionalProperties": False,
        },
        hints=ToolHints(
            readonly=reads,
            destructive=not reads,
            idempotent=True,
            cpu_bound=True,
            concurrency_class=None if reads else CLASS,
            capability_id=ID,
            capability_name=NAME,
        ),
        policy="auto",
        effect_class="pure" if reads else "idempotent",
    )


TOOLS: Final = (
    _tool(
        "sql_query",
        "Reads with one SELECT (SQLite).",
        {
            "sql": {**_SQL, "description": "One statement that reads."},
            "parameters": _PARAMETERS,
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": ROWS_MAX,
                "description": f"Rows to return. Default: {ROWS_DEFAULT}.",
            },
        },
        ("sql",),
        reads=True,
    ),
    _tool(
        "sql_execute",
        "Changes data or tables with one or several statements (SQLite), all of them or none.",
        {
            "sql": {**_SQL, "description": "Statements; parameters only with a single one."},
            "parameters": _PARAMETERS,
        },
        ("sql",),
        reads=False,
    ),
    _tool("sql_schema", "Lists tables and views with their columns.", {}, (), reads=True),
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return "SQL databases of this session are kept with its files; each holds up to 3 MiB."


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return TOOLS


SESSION_SQL_DATABASE = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Gives the agent SQLite databases that last as long as the session.",
        status="available",
        category="data",
        icon="database",
        features=("sql_database",),
    ),
    prompt=_prompt,
    tools=_tools,
)
