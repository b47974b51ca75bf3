"""Has the agent answer with JSON that fits a schema."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_harness import arguments
from mainspring_harness.capability import Applied, Capability, Info, PromptContext, read_config
from mainspring_schema.messages import Json

ID: Final = "structured_output"
REPAIRS_DEFAULT: Final = 2
REPAIRS_MAX: Final = 5
"""Each is a whole model call more; a model that failed so often will not learn it."""
SCHEMA_BYTES_MAX: Final = 32 * 1024
"""It stands in every prompt."""
PROBLEM_CHARS_MAX: Final = 400
"""Of one finding: it may quote the value, which the model has before it anyway."""

_JSON: Final[msgspec.json.Decoder[object]] = msgspec.json.Decoder()
_FENCED: Final = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)


class Shape(Struct, frozen=True, kw_only=True):
    """What an answer must fit, and how often the model is asked again. `{}` fits any JSON."""

    schema: Json = {}
    repairs_max: int = REPAIRS_DEFAULT

    def problems(self, text: str) -> tuple[str, ...]:
        """What is wrong with the text of an answer; empty where it fits."""
        try:
            value = _JSON.decode(text)
        except (ValueError, RecursionError) as error:
            return (f"it is no JSON: {error}"[:PROBLEM_CHARS_MAX],)
        found = arguments.misfits(self.schema, value)
        return tuple(problem[:PROBLEM_CHARS_MAX] for problem in found)


def shape(applied: Iterable[Applied]) -> Shape | None:
    """None for an agent that answers as it likes."""
    return read_config(applied, ID, Shape)


def bare(text: str) -> str:
    """The text without what models like to put around JSON: blanks, and the fence of a block."""
    text = text.strip()
    fenced = _FENCED.fullmatch(text)
    return text if fenced is None else fenced.group(1).strip()


def complaint(problems: Iterable[str]) -> str:
    """What the model is told of an answer that does not fit."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return (
        f"Your answer was not accepted:\n{listed}\n"
        "Give the whole answer again, as the JSON value alone. Call no tool."
    )


def _problems(config: Json) -> tuple[str, ...]:
    schema = msgspec.convert(config, Shape).schema
    if len(msgspec.json.encode(schema)) > SCHEMA_BYTES_MAX:
        return (f"schema: is over {SCHEMA_BYTES_MAX} bytes",)
    problem = arguments.schema_problem(schema)
    return () if problem is None else (f"schema: {problem}",)


def _prompt(config: Json, _context: PromptContext) -> str | None:
    schema = msgspec.json.encode(msgspec.convert(config, Shape).schema, order="sorted").decode()
    return (
        "A program reads your answer. When you answer, rather than call a tool, say one JSON value "
        "that fits the JSON Schema below, and nothing before or after it, no block marks either.\n"
        f"{schema}"
    )


STRUCTURED_OUTPUT: Final = Capability(
    info=Info(
        id=ID,
        name="Structured Output",
        description=(
            "Has the agent answer with JSON that fits a schema. An answer that does not is told to "
            "the model, which tries again a bounded number of times; then the turn fails as "
            "structured_output_invalid."
        ),
        status="available",
        category="core",
        icon="braces",
        config_schema={
            "type": "object",
            "properties": {
                "schema": {
                    "type": "object",
                    "description": "A JSON Schema, complete in itself. Default: any JSON.",
                },
                "repairs_max": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": REPAIRS_MAX,
                    "description": f"Tries after the first. Default: {REPAIRS_DEFAULT}.",
                },
            },
            "additionalProperties": False,
        },
    ),
    config_problems=_problems,
    prompt=_prompt,
)
