"""Names of spans, metrics and attributes stand in one file; elsewhere they are constants."""

import ast

import pytest

from tests.tidy import tree

NAMES = "libs/runtime/mainspring_runtime/names.py"
NAMING_CALLS = {
    "start_span",
    "start_as_current_span",
    "add_event",
    "set_attribute",
    "create_counter",
    "create_histogram",
    "create_up_down_counter",
    "create_observable_gauge",
    "create_gauge",
    "span",
}
"""Methods whose first argument is such a name."""


def spelled_names(path: str, module: ast.Module) -> list[str]:
    found: list[str] = []
    for node in ast.walk(module):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=called) | ast.Name(id=called),
                args=[ast.Constant(value=str()) | ast.JoinedStr(), *_],
            ) if called in NAMING_CALLS:
                found.append(f"{path}:{node.lineno}: what {called}() names belongs into {NAMES}")
            case _:
                pass
    return found


def test_telemetry_names_stand_in_one_file() -> None:
    found = [
        finding
        for path in tree.written(".py")
        if path.startswith(("services/", "libs/")) and path != NAMES
        for finding in spelled_names(path, tree.module(path))
    ]

    assert (tree.ROOT / NAMES).is_file()
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source", ["tracer.start_span('x')", "meter.create_counter('y')", "s.set_attribute('a.b', 1)"]
)
def test_a_spelled_name_is_found(source: str) -> None:
    assert spelled_names("x.py", ast.parse(source))
    assert not spelled_names("x.py", ast.parse("tracer.start_span(names.TURN)"))
