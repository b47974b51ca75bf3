"""Checks a tool's arguments against its JSON Schema, with problems a model can act on.

`jsonschema-rs` because it compiles and checks in microseconds and has no dependencies of its own
(measured: 13 µs to compile a small schema, under 1 µs to check), where `jsonschema` is some hundred
times slower and `fastjsonschema` makes Python source text from what a client sent.
"""

from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple, cast

import jsonschema_rs
import msgspec

from mainspring_harness.errors import InvalidToolSchema
from mainspring_harness.extents import Extent, extent_of, size_of
from mainspring_schema.messages import Json

_PROBLEMS_MAX = 5
_PROBLEM_CHARS_MAX = 500
"""A problem begins with the value, which may be all that a model wrote; the reason ends it."""
_SCHEMAS_KEPT = 1024
_CHECKS_MAX: Final = 5_000_000
"""Of one value: a quarter of a second, in which whoever checks does nothing else."""
_TOLD_MAX: Final = 20_000
"""Checks that are made again to say what does not fit: each misfit takes as long as a thousand."""
_BACKTRACKS_MAX: Final = 10_000
"""Of one pattern on one text; a text that needs more does not fit."""
_TOO_MUCH: Final = "it is too large to be checked against its schema"
_SOMEWHERE: Final = (
    "something in it does not fit its schema, which has too many choices to say what"
)


def check_schema(tool: str, schema: Json) -> None:
    """Raises InvalidToolSchema unless `schema` is a JSON Schema of an object, complete in itself.

    A reference to a file or a host is refused: checking arguments must never open a connection.
    """
    declared = schema.get("type", "object")
    if declared != "object":
        raise InvalidToolSchema(tool, f"parameters must have type object, not {declared!r}")
    problem = schema_problem(schema)
    if problem is not None:
        raise InvalidToolSchema(tool, problem)


def schema_problem(schema: Json) -> str | None:
    """Why this is no JSON Schema, or none that is complete in itself; None where it is one."""
    try:
        _checker(_key(schema))
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return _cut(str(error).partition("\n")[0])
    return None


def problems(tool: str, schema: Json, arguments: object) -> tuple[str, ...]:
    """What is wrong with `arguments`, at most five findings; empty where they fit.

    Raises InvalidToolSchema as `check_schema` does.
    """
    if not isinstance(arguments, dict):
        return (f"arguments must be a JSON object, not {_kind(arguments)}",)
    check_schema(tool, schema)
    return misfits(schema, cast("Json", arguments))


def misfits(schema: Json, value: object) -> tuple[str, ...]:
    """The same of any value, against a schema that was checked before."""
    validator, extent = _checker(_key(schema))
    size, depth = size_of(value)
    if extent.checks * size > _CHECKS_MAX:
        return (_TOO_MUCH,)
    # This remembers what it found of each part. What tells the misfits does not: of a choice it
    # tells those of every alternative, with all the choices that are within.
    if validator.is_valid(value):
        return ()
    one = extent.checks * (size if extent.returns else 1) * extent.returns_within(depth)
    if one * size <= _TOLD_MAX:
        return tuple(_told(error) for error in islice(validator.iter_errors(value), _PROBLEMS_MAX))
    return (_first(validator, value) if one <= _TOLD_MAX else _SOMEWHERE,)


def _first(validator: jsonschema_rs.Validator, value: object) -> str:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return _told(error)
    return _SOMEWHERE


def _told(error: jsonschema_rs.ValidationError) -> str:
    return _cut(f"{_place(error.instance_path)}{error.message}")


def _cut(problem: str) -> str:
    if len(problem) <= _PROBLEM_CHARS_MAX:
        return problem
    half = _PROBLEM_CHARS_MAX // 2
    return f"{problem[:half]} … {problem[-half:]}"


def _key(schema: Json) -> bytes:
    return msgspec.json.encode(schema, order="sorted")


class _Checker(NamedTuple):
    validator: jsonschema_rs.Validator
    extent: Extent


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _checker(schema: bytes) -> _Checker:
    extent = extent_of(msgspec.json.decode(schema, type=dict[str, object]))
    patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS_MAX)
    validator = jsonschema_rs.validator_for(schema.decode(), offline=True, pattern_options=patterns)
    return _Checker(validator, extent)


def _place(path: list[str | int]) -> str:
    return f"{'.'.join(str(step) for step in path)}: " if path else ""


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case _:
            return "an array"
