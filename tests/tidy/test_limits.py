"""Every bound stands in a limits.py by name, with its reason beside it; a name has one value."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.tidy import tree

REASON_WORDS_MIN = 2


def unreasoned(path: str, text: str) -> list[str]:
    lines = text.splitlines()
    body = ast.parse(text).body
    found: list[str] = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        name = _bound(node)
        if name is None:
            continue
        reason = _docstring(after) or _comment(lines, node)
        if len(reason.split()) < REASON_WORDS_MIN:
            found.append(f"{path}:{node.lineno}: {name} says no reason")
    return found


UNITS = {"KIB", "MIB"}


def _bound(node: ast.stmt) -> str | None:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            ours = name.isupper() and not name.startswith("_") and name not in UNITS
            return name if ours else None
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


def ambiguous(modules: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Bounds whose name another module gives another value: what a reader knows of one misleads."""
    values: dict[str, dict[str, str]] = {}
    for path, text in modules:
        for node in ast.parse(text).body:
            name = _bound(node)
            if name is not None and isinstance(node, ast.AnnAssign | ast.Assign) and node.value:
                values.setdefault(name, {})[path] = ast.unparse(node.value)
    for name, by_path in values.items():
        if any(path.endswith("limits.py") for path in by_path) and len(set(by_path.values())) > 1:
            yield f"{name} has several values: {', '.join(sorted(by_path))}"


def _modules() -> list[str]:
    return [path for path in tree.written(".py") if path.startswith(("libs/", "services/"))]


def test_every_bound_has_a_reason() -> None:
    paths = [path for path in _modules() if path.endswith("limits.py")]

    found = [finding for path in paths for finding in unreasoned(path, tree.text(path))]

    assert paths
    assert not found, "\n".join(found)


def test_a_bound_has_one_value_wherever_it_stands() -> None:
    found = list(ambiguous((path, tree.text(path)) for path in _modules()))

    assert not found, "\n".join(found)


def test_a_name_with_a_second_value_is_found() -> None:
    elsewhere = "services/a/usecases/looking.py"

    assert list(ambiguous([("libs/limits.py", "A_MAX = 3\n"), (elsewhere, "A_MAX: int = 4\n")]))
    assert not list(ambiguous([("libs/limits.py", "A_MAX = 3\n"), (elsewhere, "B_MAX = 4\n")]))


@pytest.mark.parametrize("text", ["A_MAX: Final = 3\n", "A_MAX = 3\nB_MAX = 4  # fits a page\n"])
def test_a_bound_without_a_reason_is_found(text: str) -> None:
    assert unreasoned("limits.py", text)


@pytest.mark.parametrize(
    "text", ['A_MAX = 3\n"""Fits a page."""\n', "# Fits a page.\nA_MAX = 3\n", "KIB = 1024\n"]
)
def test_a_reason_may_stand_below_above_or_beside(text: str) -> None:
    assert not unreasoned("limits.py", text)
