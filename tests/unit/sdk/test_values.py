"""Values come back as they are annotated, or it is said where they are written that they cannot."""

from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import NoReturn, cast
from uuid import UUID

import pytest
from msgspec import Raw, Struct
from pydantic import BaseModel

from mainspring import Retry, Step, StepFailed, Unserializable, Worker, step, workflow
from mainspring.values import Shape, hash_of
from tests.unit.sdk.fake import FakeEngine


class Item(BaseModel):
    sku: str
    day: date
    count: int = 1


class Order(BaseModel):
    items: list[Item]


@dataclass
class Card:
    number: str


@dataclass
class Iban:
    code: str


class Tagged(Struct, tag=True):
    x: int


class Other(Struct, tag=True):
    x: int


ORDER = Order(items=[Item(sku="tea", day=date(2026, 1, 2))])


@step
async def priced(order: Order, *, where: PurePosixPath | None = None) -> dict[str, Item]:
    assert where is None or where.name == "prices"
    return {item.sku: item for item in order.items}


async def test_models_of_pydantic_and_paths_are_values() -> None:
    @workflow
    async def shop(order: Order) -> Order:
        found = await priced(order, where=PurePosixPath("/etc/prices"))
        again = await priced(order)
        return Order(items=[found["tea"], again["tea"]])

    engine = FakeEngine(ORDER.model_dump(mode="json"))
    first = await engine.run(shop)
    again = await engine.go(shop).run()

    assert first.outcome == again.outcome == "completed", first
    assert first.result == again.result
    assert shop.shape.result(first.result) == Order(items=[ORDER.items[0]] * 2)


def test_a_model_that_does_not_fit_is_told() -> None:
    with pytest.raises(ValueError, match="day"):
        Shape(priced.function).arguments(b'[{"items":[{"sku":"tea","day":"soon"}]}]')
    with pytest.raises(ValueError, match="a path is a text, not int"):
        Shape(priced.function).arguments(b'{"order":{"items":[]},"where":7}')


def test_what_json_cannot_tell_apart_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"pay: what it returns: Type unions may not contain"):

        @step
        async def pay() -> Card | Iban: ...

    with pytest.raises(TypeError, match=r"paid: by: Type unions may not contain"):

        @workflow
        async def paid(by: Card | Iban) -> None: ...

    Shape(lambda: None)

    @step
    async def either(it: Tagged | Other) -> Tagged | Other | None:
        return it

    assert either.shape.arguments(b'[{"type":"Other","x":1}]') == ([Other(1)], {})


def test_what_never_returns_may_say_so() -> None:
    @workflow
    async def for_ever() -> NoReturn:
        raise AssertionError

    for_ever.shape.check()


def test_an_annotation_may_name_what_is_defined_later() -> None:
    @step
    async def early(it: "Late") -> "Late":
        return it

    assert early.shape.arguments(b'[{"x":1}]') == ([Late(1)], {})


def test_one_that_names_what_only_a_type_checker_sees_is_refused_by_the_worker() -> None:
    @step
    async def typed(it: "Nowhere", when: date | None = None) -> int:  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType]
        return 1

    with pytest.raises(TypeError, match="name 'Nowhere' is not defined, which an annotation names"):
        Worker([cast("Step[..., int]", typed)])


@dataclass
class Late:
    x: int


def test_mappings_by_other_things_than_texts_have_a_hash() -> None:
    by_number, by_id = {2: "b", 1: "a"}, {UUID(int=1): [date(2026, 1, 1)]}

    assert hash_of([by_number]) == hash_of([{1: "a", 2: "b"}])
    assert hash_of([by_number]) == hash_of([{"1": "a", "2": "b"}])
    assert hash_of([by_number, by_id]) != hash_of([{1: "a"}, by_id])


async def test_they_are_arguments_of_steps() -> None:
    @step
    async def named(it: dict[int, str], days: dict[date, int]) -> dict[int, str]:
        assert list(days) == [date(2026, 1, 1)]
        return it

    @workflow
    async def naming() -> str:
        return (await named({1: "x"}, {date(2026, 1, 1): 3}))[1]

    engine = FakeEngine()

    assert (await engine.run(naming)).result == (await engine.go(naming).run()).result == b'"x"'


@pytest.mark.parametrize("written", [b'{"x":', b"[1e999]", b'"\xff"', b"nope"])
async def test_raw_json_that_is_none_fails_the_step_that_returned_it(written: bytes) -> None:
    @step(retry=Retry(first_s=0))
    async def raw() -> object:
        return {"found": Raw(written)}

    @workflow
    async def asking() -> str:
        try:
            await raw()
        except StepFailed as failed:
            return failed.code
        return "nothing"

    assert (await FakeEngine().run(asking)).result == b'"unserializable"'


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(Unserializable, match="values of the type complex cannot be written"):
        hash_of([{"deep": [1j]}])


def test_what_does_not_fit_is_told_with_the_argument_that_it_is() -> None:
    async def paid(order: str, cents: int, *rest: int, **more: int) -> int:
        return len(order) + cents + sum(rest) + sum(more.values())

    shape: Shape[int] = Shape(paid)

    for given, named in (
        (b'["A", "x"]', "cents"),
        (b'["A", 1, 2, "x"]', "rest"),
        (b'{"order": "A", "cents": "x"}', "cents"),
        (b'{"order": "A", "cents": 1, "more": "x"}', "more"),
    ):
        with pytest.raises(ValueError, match=f"the argument {named}: Expected `int`, got `str`"):
            shape.arguments(given)
    with pytest.raises(ValueError, match="the result of paid: Expected `int`, got `str`"):
        shape.result(b'"x"')
