"""Reads .sql files as the house writes them: named queries, comments, locks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

NAME = re.compile(r"^-- name:\s*(\S*)\s*$")
SKIP = re.compile(r"\bskip\s+locked\b", re.IGNORECASE)
ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
LITERAL = re.compile(r"'[^']*'")
LIMIT = re.compile(r"\blimit\b", re.IGNORECASE)

LOCK_LINES = 14
"""How far above a lock its order, its limit and its comment may stand."""
PURPOSE_WORDS_MIN = 3


@dataclass(frozen=True, kw_only=True)
class Query:
    name: str
    line: int
    purpose: str
    body: str


def queries(text: str) -> Iterator[Query]:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if NAME.match(line)]
    for start, end in pairwise([*starts, len(lines)]):
        match = NAME.match(lines[start])
        after = lines[start + 1] if start + 1 < end else ""
        yield Query(
            name=match.group(1) if match else "",
            line=start + 1,
            purpose=after.removeprefix("--").strip() if after.startswith("--") else "",
            body="\n".join(lines[start + 1 : end]),
        )


def code(text: str) -> str:
    """Without comments and literals, line by line."""
    return "\n".join(LITERAL.sub("''", line.partition("--")[0]) for line in text.splitlines())


def unnamed(path: str, text: str) -> list[str]:
    """A query file without a name, a query without a purpose, a statement that no name claims."""
    found = list(queries(text))
    if not found:
        return [f"{path}: no `-- name:`"]
    first = found[0].line
    before = [line for line in text.splitlines()[: first - 1] if line.strip()]
    complaints = [
        f"{path}: a statement before the first name" for line in before if not line.startswith("--")
    ]
    for query in found:
        if not query.name:
            complaints.append(f"{path}:{query.line}: the name is missing")
        if len(query.purpose.split()) < PURPOSE_WORDS_MIN:
            complaints.append(f"{path}:{query.line}: {query.name} says no purpose below its name")
        if code(query.body).count(";") > 1:
            complaints.append(f"{path}:{query.line}: {query.name} holds more than one statement")
    return complaints


def unsaid_locks(path: str, text: str) -> list[str]:
    """A `skip locked` without its order, its limit, or a word on what it skips and why."""
    lines = text.splitlines()
    complaints: list[str] = []
    bare = code(text).splitlines()
    for index, line in enumerate(bare):
        if not SKIP.search(line):
            continue
        above = lines[max(0, index - LOCK_LINES) : index + 2]
        query = "\n".join(bare[max(0, index - LOCK_LINES) : index + 2])
        if not any("skip" in part.partition("--")[2].lower() for part in above):
            complaints.append(f"{path}:{index + 1}: says not what it skips and why")
        if not ORDER.search(query):
            complaints.append(f"{path}:{index + 1}: locks without an order")
        if not LIMIT.search(query):
            complaints.append(f"{path}:{index + 1}: locks without a limit")
    return complaints


SCHEMAS = ("api", "engine", "log", "scheduler")
SCHEMA_OF = {"api": "api", "engine": "engine", "eventstore": "log", "scheduler": "scheduler"}
"""Service → the one schema whose tables it may name."""

_NAMED = re.compile(rf"\b({'|'.join(SCHEMAS)})\.([a-z_][a-z0-9_]*)(\s*\()?", re.IGNORECASE)
_GRANTED = re.compile(r"_v\d+$")


def foreign_tables(path: str, text: str, schema: str) -> list[str]:
    """What a service's SQL names in another schema that is no granted function."""
    complaints: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for match in _NAMED.finditer(line.partition("--")[0]):
            owner, name = str(match[1]), str(match[2])
            granted = match[3] is not None and _GRANTED.search(name) is not None
            if owner != schema and not granted:
                complaints.append(f"{path}:{number}: {owner}.{name} belongs to another service")
    return complaints
