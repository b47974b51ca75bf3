"""Structs of two versions: what grows is read by both, and what breaks is named."""

from typing import Final, Literal, cast

import msgspec
import pytest

from infra import wire

Place = tuple[str, object] | tuple[str, object, object]


def letter(*places: Place, array: bool = True, strict: bool = False) -> wire.Shapes:
    fields = cast("list[tuple[str, type]]", list(places))
    made = msgspec.defstruct(
        "Letter", fields, array_like=array, kw_only=True, forbid_unknown_fields=strict
    )
    return {"Letter": wire.shape(made)}


class Stamp(msgspec.Struct):
    cents: int


class Label(msgspec.Struct):
    cents: int


class Seal(msgspec.Struct):
    wax: str


NONE: Final[list[object]] = []
OLD = letter(("to", str), ("kind", Literal["air", "sea"]), ("pages", list[int], NONE))
ENDS = ("kind", Literal["air", "sea"]), ("pages", list[int], NONE)

GROWN = {
    "nothing": letter(("to", str), *ENDS),
    "a field at the end": letter(("to", str), *ENDS, ("copy", bool, False)),
    "another value": letter(("to", str), ("kind", Literal["air", "land", "sea"]), ENDS[1]),
    "any text": letter(("to", str), ("kind", str), ENDS[1]),
    "nothing allowed": letter(("to", str | None), *ENDS),
    "another container": letter(("to", str), ENDS[0], ("pages", tuple[int, ...], ())),
}
BROKEN = {
    "to is gone": letter(*ENDS),
    "pages is gone": letter(("to", str), ENDS[0], ("leaves", list[int], NONE)),
    "copy is new and has no default": letter(("to", str), *ENDS, ("copy", bool)),
    "has its fields in other places": letter(ENDS[0], ("to", str), ENDS[1]),
    "has another tag or another form": letter(("to", str), *ENDS, array=False),
    "refuses what it does not know, and did not": letter(("to", str), *ENDS, strict=True),
    "to is of another type": letter(("to", int), *ENDS),
    "kind is of another type": letter(("to", str), ("kind", Literal["air"]), ENDS[1]),
    "pages is of another type": letter(("to", str), ENDS[0], ("pages", list[str], NONE)),
    "pages had a default and has none": letter(("to", str), ENDS[0], ("pages", list[int])),
}


@pytest.mark.parametrize("now", GROWN.values(), ids=GROWN.keys())
def test_what_grows_is_no_break(now: wire.Shapes) -> None:
    assert list(wire.breaks(OLD, now)) == []


@pytest.mark.parametrize(("sentence", "now"), BROKEN.items(), ids=BROKEN.keys())
def test_what_breaks_is_named(sentence: str, now: wire.Shapes) -> None:
    assert f"Letter: {sentence}" in list(wire.breaks(OLD, now))


def test_a_struct_may_have_another_name_and_not_another_content() -> None:
    old = letter(("stamp", Stamp | None)) | {"Stamp": wire.shape(Stamp)}
    renamed = letter(("stamp", Label | None)) | {"Label": wire.shape(Label)}
    other = letter(("stamp", Seal | None)) | {"Seal": wire.shape(Seal)}

    assert list(wire.breaks(old, renamed)) == []
    assert list(wire.breaks(old, other)) == ["Letter: stamp is of another type"]


def test_what_crosses_processes_and_what_is_kept_is_looked_at() -> None:
    shapes = wire.described()

    assert {"StartWorkflow", "Held", "TurnState", "WorkflowState"} <= shapes.keys()
    assert msgspec.json.decode(msgspec.json.encode(shapes), type=wire.Shapes) == shapes
    assert list(wire.breaks(shapes, shapes)) == []
