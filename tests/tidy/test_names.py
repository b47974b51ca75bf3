"""Modules are named for what they are responsible for, and things by the glossary."""

import ast
from pathlib import PurePosixPath

import pytest

from tests.tidy import tree, words

EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc"}


def empty_names(path: str) -> list[str]:
    parts = [PurePosixPath(part).stem for part in PurePosixPath(path).parts]
    return [f"{path}: {part} names no responsibility" for part in parts if part in EMPTY_NAMES]


def test_no_module_is_named_for_nothing() -> None:
    found = [finding for path in tree.written(".py") for finding in empty_names(path)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", ["libs/x/utils.py", "services/x/common/y.py", "base.py"])
def test_an_empty_name_is_found(path: str) -> None:
    assert empty_names(path)


def test_python_speaks_the_glossary() -> None:
    # The names of tests are sentences; what they name inside is code as any other.
    found = [
        f"{path}:{line}: {finding}"
        for path in tree.written(".py")
        for line, finding in words.python_words(tree.module(path))
        if not finding.startswith("test_")
    ]

    assert not found, "\n".join(found)


def test_sql_speaks_the_glossary() -> None:
    found = [
        f"{path}:{line}: {finding}"
        for path in tree.written(".sql")
        if path != "migrations/schema.sql"
        for line, finding in words.flat_words(tree.text(path))
    ]

    assert not found, "\n".join(found)


def test_proto_speaks_the_glossary() -> None:
    found = [
        f"{path}:{line}: {finding}"
        for path in tree.written(".proto")
        for line, finding in words.flat_words(tree.text(path), proto=True)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "class RunState: ...",
        "job = 1",
        "def f(run_id): ...",
        "def nudge(): ...",
        "self.locked_until = 3",
        "tenantId = 4",
    ],
)
def test_a_word_of_nothing_is_found(source: str) -> None:
    assert list(words.python_words(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "async def run(): ...",
        "def run_until(stop): ...",
        "runner = 1",
        "runtime = 2",
        "engine_run = 'a login role'",
        "asyncio.run(main())",
    ],
)
def test_verbs_roles_and_foreign_names_pass(source: str) -> None:
    assert not list(words.python_words(ast.parse(source)))


def test_a_column_of_nothing_is_found() -> None:
    assert list(words.flat_words("create table x (run_id uuid);"))
    assert not list(words.flat_words("grant usage on schema x to engine_run; -- one job"))
