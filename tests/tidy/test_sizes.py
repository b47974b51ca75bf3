"""A function has 40 lines at most, a file 400."""

import ast
import re

from tests.tidy import tree

FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 400
SIZED = (".py", ".sql", ".proto", ".sh", ".md", ".yml", ".yaml", ".toml")
DUMPED = "migrations/schema.sql"  # written by pg_dump
# Written by `./task gen pins`, one line per package: nobody reads it for its reasons.
PINS = re.compile(r"^constraint-dependencies = \[\n(?:    .*\n)*\]\n", re.MULTILINE)


def long_functions(path: str, module: ast.Module) -> list[str]:
    found: list[str] = []
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append(f"{path}:{node.lineno}: {node.name} has {lines} lines")
    return found


def long_file(path: str, text: str) -> list[str]:
    lines = PINS.sub("", text).count("\n")
    return [f"{path}: {lines} lines"] if lines > FILE_LINES_MAX else []


def test_functions_fit_on_a_screen() -> None:
    paths = tree.written(".py")

    found = [finding for path in paths for finding in long_functions(path, tree.module(path))]

    assert not found, "\n".join(found)


def test_files_have_one_reason_to_change() -> None:
    paths = [path for path in tree.written(*SIZED) if path != DUMPED]

    found = [finding for path in paths for finding in long_file(path, tree.text(path))]

    assert not found, "\n".join(found)


def test_a_function_of_41_lines_is_found() -> None:
    body = "\n".join("    pass" for _ in range(FUNCTION_LINES_MAX))

    assert long_functions("x.py", ast.parse(f"def f():\n{body}\n"))
    assert not long_functions("x.py", ast.parse("def f():\n    pass\n"))


def test_a_file_of_401_lines_is_found() -> None:
    assert long_file("x.py", "\n" * (FILE_LINES_MAX + 1))
    assert not long_file("x.py", "\n" * FILE_LINES_MAX)


def test_pins_that_are_made_do_not_count() -> None:
    pins = "constraint-dependencies = [\n" + '    "x==1",\n' * FILE_LINES_MAX + "]\n"

    assert not long_file("pyproject.toml", pins + "\n" * FILE_LINES_MAX)
    assert long_file("pyproject.toml", pins + "\n" * (FILE_LINES_MAX + 1))
