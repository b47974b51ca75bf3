"""What the steps of a declaration are given, and what that costs an engine."""

import tracemalloc
from collections.abc import Callable, Mapping

import msgspec
import pytest

from mainspring_engine.domain.workflow import filling
from mainspring_engine.domain.workflow.charts import Unfit
from mainspring_engine.domain.workflow.filling import Reference, Values, filled
from mainspring_kernel.limits import MIB, WORKFLOW_VALUE_BYTES_MAX
from mainspring_schema.declarations import ListOf, ObjectOf, OfInput, OfStep, Path, Value


class Shelf:
    """Values by parameter or step; notes which were looked up."""

    def __init__(self, of: Mapping[str | int, bytes]) -> None:
        self._of = of
        self.read: list[str | int] = []

    def look_up(self, reference: Reference) -> bytes:
        key = reference.name if isinstance(reference, OfInput) else reference.step
        self.read.append(key)
        return self._of[key]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Each list or object that is taken apart."""
    seen: list[bytes] = []
    name = "_opened"
    real: Callable[..., object] = getattr(filling, name)

    def noting(decoder: object, raw: bytes) -> object:
        seen.append(bytes(raw))
        return real(decoder, raw)

    monkeypatch.setattr(filling, name, noting)
    return seen


def of_x(*path: str | int) -> OfInput:
    return OfInput(name="x", path=path)


def list_of(*paths: Path) -> ListOf:
    return ListOf(items=tuple(of_x(*path) for path in paths))


def test_a_value_is_looked_up_and_taken_apart_once_for_all_references(opened: list[bytes]) -> None:
    shelf = Shelf({"x": b'{"a":[1,{"b":2}],"c":"d"}'})
    values = Values(shelf.look_up)

    raw = filled(list_of(("a", 0), ("a", 1, "b"), ("c",), ("a", 0), ("a", 1)), values)

    assert raw == b'[1,2,"d",1,{"b":2}]'
    assert shelf.read == ["x"]
    assert opened == [b'{"a":[1,{"b":2}],"c":"d"}', b'[1,{"b":2}]', b'{"b":2}']


def test_steps_that_are_prepared_together_share_what_is_taken_apart(opened: list[bytes]) -> None:
    shelf = Shelf({"x": b"[1,2,3]", 1: b'{"x":4}'})
    values = Values(shelf.look_up)
    steps = [
        ListOf(items=(of_x(0), OfStep(step=1, path=("x",)))),
        ListOf(items=(of_x(1), OfStep(step=1))),
        ObjectOf(members={"n": of_x(-1), "v": Value(value=msgspec.Raw(b"null"))}),
    ]

    values.prepare(steps)

    assert [filled(step, values) for step in steps] == [
        b"[1,4]", b'[2,{"x":4}]', b'{"n":3,"v":null}',
    ]  # fmt: skip
    assert shelf.read == ["x", 1]
    assert opened == [b"[1,2,3]", b'{"x":4}']


@pytest.mark.parametrize("path", [("b",), (2,), (-3,), (0, "a"), ("a", 0), (0, 0)])
def test_what_is_not_there_is_said_of_the_step_that_refers_to_it_alone(path: Path) -> None:
    values = Values(Shelf({"x": b"[1,2]"}).look_up)
    good, bad = list_of((0,)), list_of((1,), path)

    values.prepare((bad, good))

    assert filled(good, values) == b"[1]"
    with pytest.raises(Unfit, match="there is no"):
        filled(bad, values)


def test_parts_of_one_value_by_name_and_by_number_are_told_apart() -> None:
    values = Values(Shelf({"x": b"[1]"}).look_up)
    by_name, by_number = list_of(("0",)), list_of((0,))

    values.prepare((by_name, by_number))

    assert filled(by_number, values) == b"[1]"
    with pytest.raises(Unfit, match="there is no '0'"):
        filled(by_name, values)


@pytest.mark.parametrize("path", [(), (0,)])
def test_what_would_be_too_long_is_counted_and_never_built(path: Path) -> None:
    large = b'["%s"]' % (b"a" * 480_000)
    values = Values(Shelf({"x": large}).look_up)
    many = list_of(*[path] * 1000)
    tracemalloc.start()

    try:
        with pytest.raises(Unfit, match=f"at most {WORKFLOW_VALUE_BYTES_MAX} are taken"):
            filled(many, values)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < MIB


def test_a_value_may_have_as_many_bytes_as_the_bound_and_no_more() -> None:
    fits = b"[%s]" % (b"1" * (WORKFLOW_VALUE_BYTES_MAX - 4))
    values = Values(Shelf({"x": fits, 1: fits + b" "}).look_up)

    assert len(filled(ListOf(items=(of_x(),)), values)) == WORKFLOW_VALUE_BYTES_MAX
    with pytest.raises(Unfit, match=f"{WORKFLOW_VALUE_BYTES_MAX + 1} bytes"):
        filled(ListOf(items=(OfStep(step=1),)), values)


def test_a_path_longer_than_calls_may_nest_is_followed_to_its_end() -> None:
    values = Values(Shelf({"x": b"[[1]]"}).look_up)

    with pytest.raises(Unfit, match="there is no 0"):
        filled(list_of((0,) * 100_000), values)
