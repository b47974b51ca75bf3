"""What people need to annotate code that uses the SDK."""

import inspect
from collections.abc import Iterator
from typing import TypeVar, cast, get_args, get_origin, get_type_hints

import pytest

import mainspring
from mainspring import Call, Child, Handle, Step, TaskHandle, Tool, Workflow

_PUBLIC = [cast("object", getattr(mainspring, name)) for name in mainspring.__all__]


@pytest.mark.parametrize("made", [Call, Child, Handle, Step, TaskHandle, Tool, Workflow])
def test_what_gives_a_text_may_stand_where_anything_is_wanted(
    made: type[object],
) -> None:
    *_, result = cast("tuple[TypeVar, ...]", vars(made)["__parameters__"])

    assert result.__covariant__


@pytest.mark.parametrize("public", _PUBLIC, ids=mainspring.__all__)
def test_what_is_returned_has_a_name_to_import(public: object) -> None:
    returned = {kind for function in _functions(public) for kind in _returned(function)}

    ours = {kind for kind in returned if kind.__module__.startswith("mainspring.")}
    assert [kind for kind in ours if kind not in _PUBLIC] == []


def _functions(public: object) -> Iterator[object]:
    """It, or its public methods."""
    if not inspect.isclass(public):
        yield public
        return
    for name, member in inspect.getmembers(public, inspect.isfunction):
        if not name.startswith("_"):
            yield member


def _returned(function: object) -> Iterator[type]:
    if not inspect.isfunction(function):
        return
    module = inspect.getmodule(function)
    yield from _classes(get_type_hints(function, vars(module)).get("return"))


def _classes(annotation: object) -> Iterator[type]:
    found = get_origin(annotation) or annotation
    if inspect.isclass(found):
        yield found
    for inner in get_args(annotation):
        yield from _classes(inner)
