"""What crosses a process as a struct, or is kept as one, may only grow: `./task check wire`.

`buf breaking` says that of the protos. Most of what they carry is packed by msgspec, and so are the
states of turns and workflows; of those this says it. Old and new versions stand side by side for
as long as a deployment takes: each reads what the other wrote.

A field is never taken away, moved in an array, given another type or tag; a new one has a default.
What a field may hold may grow (another literal, or None), as `buf breaking` lets an enum grow: that
readers come before writers is for people to see to.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

import msgspec
from msgspec import inspect as types

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mainspring_schema",)
STATES = ("mainspring_engine.domain.turn.state", "mainspring_engine.domain.workflow.state")
"""Kept in rows: another version goes on with them."""
FOLDERS = ("libs", "services")


class Kind(msgspec.Struct, frozen=True):
    """One thing that a place may hold. `of` are the kinds of what is in it, place by place."""

    kind: str
    value: str | int | None = None
    of: tuple[tuple[Kind, ...], ...] = ()


class Field(msgspec.Struct, frozen=True):
    name: str
    required: bool
    holds: tuple[Kind, ...]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    tag: str | int | None
    array: bool
    strict: bool
    fields: tuple[Field, ...]


Shapes = dict[str, Shape]


def main(arguments: Sequence[str]) -> int:
    """Without arguments prints what there is; with a revision says what broke since then."""
    if not arguments:
        sys.stdout.buffer.write(msgspec.json.encode(described()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        before = of_revision(arguments[0], Path(folder))
    found = list(breaks(before, described()))
    if found:
        print("\n".join(found))
    return 1 if found else 0


# ── what there is ───────────────────────────────────────────────────────────────────────────────


def of_revision(revision: str, folder: Path) -> Shapes:
    """The same of another commit, by its own code."""
    command = ["git", "archive", "--format=tar", revision, *FOLDERS]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    unpack = ["tar", "-x", "-C", str(folder)]
    subprocess.run(unpack, input=packed, check=True)
    members = (str(path.parent) for kind in FOLDERS for path in folder.glob(f"{kind}/*/*.toml"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sorted(members))}
    program = [sys.executable, str(Path(__file__).resolve())]
    printed = subprocess.run(program, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return msgspec.json.decode(printed, type=Shapes)


def described() -> Shapes:
    """Structs by their names, each with its fields in their order."""
    return {
        name: shape(cls)
        for module in modules()
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, msgspec.Struct) and cls.__module__ == module.__name__
    }


def modules() -> Iterator[ModuleType]:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__, f"{name}."):
            yield importlib.import_module(module.name)
    yield from map(importlib.import_module, STATES)


def shape(cls: type[msgspec.Struct]) -> Shape:
    seen = cast("types.StructType", types.type_info(cls))
    return Shape(
        tag=seen.tag,
        array=seen.array_like,
        strict=seen.forbid_unknown_fields,
        fields=tuple(Field(f.encode_name, f.required, held(f.type)) for f in seen.fields),
    )


def held(type_: types.Type) -> tuple[Kind, ...]:
    match type_:
        case types.UnionType(types=some):
            return tuple(kind for one in some for kind in held(one))
        case types.LiteralType(values=values):
            return tuple(Kind(type(value).__name__, value) for value in values)
        case types.EnumType(cls=cls):
            values = [cast("str | int", member.value) for member in cls]
            return tuple(Kind(type(value).__name__, value) for value in values)
        case types.StructType(cls=cls):
            return (Kind("struct", cls.__name__),)
        case _:
            return (plain(type_),)


def plain(type_: types.Type) -> Kind:
    match type_:
        case types.TupleType(item_types=items):
            return Kind("tuple", of=tuple(map(held, items)))
        case types.DictType(key_type=key, value_type=value):
            return Kind("map", of=(held(key), held(value)))
        case types.ListType() | types.SetType() | types.FrozenSetType() | types.VarTupleType():
            return Kind("array", of=(held(type_.item_type),))
        case _:
            return Kind(type(type_).__name__.removesuffix("Type").lower())


# ── what broke ──────────────────────────────────────────────────────────────────────────────────


def breaks(before: Shapes, now: Shapes) -> Iterator[str]:
    """A struct that is gone is no break by itself: what held it has another type."""
    compared = Compared(before, now)
    for name in sorted(before.keys() & now.keys()):
        for sentence in compared.breaks(before[name], now[name]):
            yield f"{name}: {sentence}"


class Compared:
    def __init__(self, before: Shapes, now: Shapes) -> None:
        self._before, self._now = before, now
        self._under_way: set[tuple[str, str]] = set()

    def breaks(self, old: Shape, new: Shape) -> Iterator[str]:
        if (old.tag, old.array) != (new.tag, new.array):
            yield "has another tag or another form"
        if new.strict and not old.strict:
            yield "refuses what it does not know, and did not"
        known = {field.name: field for field in new.fields}
        for field in old.fields:
            yield from self._breaks_of(field, known.get(field.name))
        for name in known.keys() - {field.name for field in old.fields}:
            if known[name].required:
                yield f"{name} is new and has no default"
        places = [field.name for field in new.fields][: len(old.fields)]
        if old.array and places != [field.name for field in old.fields]:
            yield "has its fields in other places"

    def _breaks_of(self, old: Field, new: Field | None) -> Iterator[str]:
        if new is None:
            yield f"{old.name} is gone"
            return
        if new.required and not old.required:
            yield f"{old.name} had a default and has none"
        if not self._takes(new.holds, old.holds):
            yield f"{old.name} is of another type"

    def _takes(self, new: Sequence[Kind], old: Sequence[Kind]) -> bool:
        return all(any(self._fits(one, other) for other in new) for one in old)

    def _fits(self, old: Kind, new: Kind) -> bool:
        if old.kind == new.kind == "struct":
            return old.value == new.value or self._is_renamed(str(old.value), str(new.value))
        if new.kind != "any" and (old.kind != new.kind or len(old.of) != len(new.of)):
            return False
        same_value = new.value is None or new.value == old.value
        return same_value and all(map(self._takes, new.of, old.of))

    def _is_renamed(self, old: str, new: str) -> bool:
        """Whether it is the same struct under another name."""
        if (old, new) in self._under_way:
            return True
        self._under_way.add((old, new))
        before, now = self._before.get(old), self._now.get(new)
        return before is not None and now is not None and not any(self.breaks(before, now))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
