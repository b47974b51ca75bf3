"""Finds words that the glossary gave to nothing, or replaced by another word."""

import ast
import re
from collections.abc import Iterator

INSTEAD = {
    "job": "task",
    "jobs": "tasks",
    "nudge": "wake-up",
    "nudges": "wake-ups",
    "tenant": "organization (org)",
    "tenants": "organizations (orgs)",
    "execution": "attempt, step or turn",
    "executions": "attempts, steps or turns",
    "reaper": "sweep",
    "run": "turn, workflow or attempt",
    "runs": "turns, workflows or attempts",
}
"""Word → what the glossary says instead. One word per thing, so these stand for nothing."""

PHRASES = {
    "lock_time": "lease_until",
    "locked_until": "lease_until",
    "locked_by": "worker",
    "lock_expires": "lease_until",
    "retry_count": "attempt",
    "fencing_token": "fence",
}
"""The same for words that mean something only together."""

ROLE = re.compile(r"^(api|engine|eventstore|log|scheduler|verify|[a-z]{1,2}|\{\w+\})?_run$")
"""The login role of a service is `<service>_run`: a database name, no noun of ours."""

VERBS = {"run_at", "run_at_ms", "run_after", "run_until"}
"""Nouns that hold the verb: when a task may run."""

_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def split(identifier: str) -> list[str]:
    return [str(match[0]).lower() for match in _HUMPS.finditer(identifier)]


def complaint(identifier: str) -> str | None:
    """What is wrong with a noun, None where nothing is."""
    if ROLE.match(identifier.lower()) or identifier.lower() in VERBS:
        return None
    parts = split(identifier)
    for part in parts:
        if part in INSTEAD:
            return f"{identifier}: say {INSTEAD[part]}"
    joined = f"_{'_'.join(parts)}_"
    for phrase, instead in PHRASES.items():
        if f"_{phrase}_" in joined:
            return f"{identifier}: say {instead}"
    return None


def verb_complaint(identifier: str) -> str | None:
    """As `complaint`, for functions: a leading `run` is a verb there and says nothing wrong."""
    parts = split(identifier)
    rest = parts[1:] if parts[:1] == ["run"] else parts
    return complaint("_".join(rest))


def python_words(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Each name this module gives, with its complaint; names used from elsewhere are theirs."""
    for node in ast.walk(module):
        for name, verb in _given(node):
            found = verb_complaint(name) if verb else complaint(name)
            if found is not None:
                yield getattr(node, "lineno", 0), found


def _given(node: ast.AST) -> Iterator[tuple[str, bool]]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, True
        case ast.ClassDef(name=name) | ast.arg(arg=name):
            yield name, False
        case ast.Name(id=name, ctx=ast.Store()):
            yield name, False
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name, False
        case _:
            pass


_SQL_COMMENT = re.compile(r"--.*")
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_PROTO_COMMENT = re.compile(r"//.*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def flat_words(text: str, *, proto: bool = False) -> Iterator[tuple[int, str]]:
    """The same for SQL and proto, line by line, comments and literals left out."""
    comment = _PROTO_COMMENT if proto else _SQL_COMMENT
    for number, line in enumerate(text.splitlines(), start=1):
        code = _STRING.sub("", comment.sub("", line))
        for match in _IDENTIFIER.finditer(code):
            found = complaint(str(match[0]))
            if found is not None:
                yield number, found
