"""Every bound stands in a limits.py by name, with its reason beside it."""

import ast

import pytest

from tests.tidy import tree

REASON_WORDS_MIN = 2


def unreasoned(path: str, text: str) -> list[str]:
    lines = text.splitlines()
    body = ast.parse(text).body
    found: list[str] = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        name = _assigned(node)
        if name is None or name in UNITS or name.startswith("_"):
            continue
        reason = _docstring(after) or _comment(lines, node)
        if len(reason.split()) < REASON_WORDS_MIN:
            found.append(f"{path}:{node.lineno}: {name} says no reason")
    return found


UNITS = {"KIB", "MIB"}


def _assigned(node: ast.stmt) -> str | None:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return None


def _docstring(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
        case _:
            return ""


def _comment(lines: list[str], node: ast.stmt) -> str:
    beside = lines[(node.end_lineno or node.lineno) - 1].partition("#")[2]
    above = lines[node.lineno - 2] if node.lineno > 1 else ""
    return beside or (above.removeprefix("#") if above.startswith("#") else "")


def test_every_bound_has_a_reason() -> None:
    paths = [
        path for path in tree.written(".py") if path.endswith(("/limits.py", "/gate_limits.py"))
    ]

    found = [finding for path in paths for finding in unreasoned(path, tree.text(path))]

    assert paths
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["A_MAX: Final = 3\n", "A_MAX = 3\nB_MAX = 4  # fits a page\n"])
def test_a_bound_without_a_reason_is_found(text: str) -> None:
    assert unreasoned("limits.py", text)


@pytest.mark.parametrize(
    "text", ['A_MAX = 3\n"""Fits a page."""\n', "# Fits a page.\nA_MAX = 3\n", "KIB = 1024\n"]
)
def test_a_reason_may_stand_below_above_or_beside(text: str) -> None:
    assert not unreasoned("limits.py", text)
