"""Named queries from .sql files that lie beside their adapter.

A file holds blocks of this form; the purpose is compulsory, the mark `-- repeatable` tells that
running the statement twice does no harm, so a dead pooled connection may be replaced silently:

    -- name: due_timers
    -- Timers that are due, oldest first, for the sweep to hand to the commit lane.
    -- repeatable
    select ...
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

from msgspec import Struct


class Query(Struct, frozen=True, kw_only=True):
    """One statement with its name and what it is for."""

    name: str
    purpose: str
    sql: str
    repeatable: bool = False


class QueryFileError(Exception):
    """A .sql file breaks the form above; found when the adapter is imported."""


class Queries:
    """The queries of one file by name."""

    def __init__(self, source: str, queries: Mapping[str, Query]) -> None:
        self._source = source
        self._queries = dict(queries)

    def __getitem__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            message = f"{self._source} has no query {name!r}"
            raise KeyError(message) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


_NAME: Final = re.compile(r"^-- name:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")
_REPEATABLE: Final = "-- repeatable"


def load_queries(package: str, file: str) -> Queries:
    """The queries of `file` in the folder of `package`. Raises QueryFileError."""
    return parse_queries(files(package).joinpath(file).read_text("utf-8"), f"{package}/{file}")


def parse_queries(text: str, source: str) -> Queries:
    """The queries in `text`; `source` names it in errors. Raises QueryFileError."""
    preamble, *parts = _NAME.split(text)
    if any(line and not line.startswith("--") for line in preamble.splitlines()):
        message = f"{source}: SQL stands before the first name"
        raise QueryFileError(message)
    queries: dict[str, Query] = {}
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        if _IDENTIFIER.fullmatch(name) is None or name in queries:
            message = f"{source}: {name!r} is no free snake_case name"
            raise QueryFileError(message)
        queries[name] = _parse_block(name, block, source)
    return Queries(source, queries)


def _parse_block(name: str, block: str, source: str) -> Query:
    lines = block.strip().splitlines()
    purpose = lines[0].removeprefix("--").strip() if lines and lines[0].startswith("--") else ""
    if not purpose or lines[0].strip() == _REPEATABLE:
        message = f"{source}: query {name!r} has no line of purpose"
        raise QueryFileError(message)
    repeatable = any(line.strip() == _REPEATABLE for line in lines[1:])
    sql = "\n".join(line for line in lines[1:] if line.strip() != _REPEATABLE).strip()
    sql = sql.removesuffix(";").strip()
    if not any(line and not line.startswith("--") for line in sql.splitlines()):
        message = f"{source}: query {name!r} has no SQL"
        raise QueryFileError(message)
    return Query(name=name, purpose=purpose, sql=sql, repeatable=repeatable)
