"""What is called arrives, however it is called and whatever parameters the function has."""

from collections.abc import Callable

import msgspec
import pytest

from mainspring import Workflow, do, run_child, start_over, step, workflow
from mainspring.values import Shape, encode, hash_of
from mainspring_schema.declarations import ListOf, ObjectOf, OfInput, Value, read
from tests.unit.sdk.fake import FakeEngine

Args = tuple[object, ...]
Kwargs = dict[str, object]


async def notify(user: str, **details: int) -> object:
    return [user, details]


async def tagged(*numbers: int, label: str = "L") -> object:
    return [numbers, label]


async def placed(a: int, /, b: int = 2) -> object:
    return [a, b]


async def pair(a: int, b: str = "b") -> object:
    return [a, b]


async def anything(a: int = 0, /, *more: int, **others: str) -> object:
    return [a, more, others]


CALLS: list[tuple[Callable[..., object], Args, Kwargs]] = [
    (notify, ("ann",), {"amount": 5}),
    (notify, (), {"user": "ann", "details": 5}),
    (notify, ("ann",), {}),
    (tagged, (1, 2, 3), {}),
    (tagged, (1, 2, 3), {"label": "Z"}),
    (tagged, (), {"label": "Z"}),
    (placed, (1,), {"b": 3}),
    (placed, (1, 3), {}),
    (pair, (1,), {"b": "c"}),
    (anything, (1, 2, 3), {"a": "x", "more": "y", "others": "z"}),
]


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
async def test_a_call_is_read_as_it_was_written(
    function: Callable[..., object], args: Args, kwargs: Kwargs
) -> None:
    shape = Shape[object](function)

    listed, named = shape.arguments(encode(shape.sent(args, kwargs)))

    assert shape.named(listed, named) == shape.named(args, kwargs)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "input_"),
    [
        (pair, (1, "c"), {}, b'[1,"c"]'),
        (pair, (1,), {"b": "c"}, b'{"a":1,"b":"c"}'),
        (pair, (), {"b": "c", "a": 1}, b'{"a":1,"b":"c"}'),
        (notify, ("ann",), {}, b'["ann"]'),
        (notify, (), {"user": "ann"}, b'{"user":"ann"}'),
        (tagged, (1, 2), {}, b"[1,2]"),
        (tagged, (), {"label": "Z"}, b'{"label":"Z"}'),
        (placed, (1, 3), {}, b"[1,3]"),
    ],
)
def test_what_always_arrived_is_encoded_as_ever(
    function: Callable[..., object], args: Args, kwargs: Kwargs, input_: bytes
) -> None:
    assert encode(Shape[object](function).sent(args, kwargs)) == input_


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "compared"),
    [
        (notify, ("ann",), {"amount": 5}, {"user": "ann", "details": {"amount": 5}}),
        (tagged, (1, 2), {"label": "Z"}, {"numbers": [1, 2], "label": "Z"}),
        (placed, (1,), {"b": 3}, {"a": 1, "b": 3}),
    ],
)
async def test_steps_and_children_are_compared_by_what_histories_have(
    function: Callable[..., object], args: Args, kwargs: Kwargs, compared: Kwargs
) -> None:
    called = step(name="called")(function)

    @workflow
    async def calls() -> object:
        await called(*args, **kwargs)
        return await run_child(called.task, *args, **kwargs)

    engine = FakeEngine()
    (wait,) = (await engine.run(calls)).waits

    assert engine.records["1"].input_hash == hash_of(compared)
    assert wait.input_hash == hash_of([compared, "default", None])


async def test_a_child_is_given_what_the_code_said() -> None:
    @workflow
    async def calls() -> object:
        return await run_child(Workflow(notify, name=None, pipelined=False), "ann", amount=5)

    (wait,) = (await FakeEngine().run(calls)).waits

    assert wait.child is not None
    assert wait.child.input == b'{"user":"ann","amount":5}'


async def test_a_workflow_starts_over_with_what_the_code_said() -> None:
    @workflow
    async def again(*numbers: int, label: str = "") -> None:
        await start_over(*numbers, label="next" + label)

    result = await FakeEngine(1, 2).run(again)

    assert (result.outcome, result.result) == ("renewed", b'{"*":[1,2],"label":"next"}')


def test_a_declared_step_is_given_what_was_declared() -> None:
    told, counted = step(name="told")(notify), step(name="counted")(tagged)

    @workflow(driver="machine")
    def declared(user: str) -> None:
        do(told, user, amount=5)
        do(counted, 1, label=user)

    assert declared.drawn is not None
    first, second = read(declared.drawn.declaration).steps
    assert first.arguments == ObjectOf(members={"user": OfInput(name="user"), "amount": of(5)})
    assert second.arguments == ObjectOf(
        members={"*": ListOf(items=(of(1),)), "label": OfInput(name="user")}
    )


def of(value: object) -> Value:
    return Value(value=msgspec.Raw(msgspec.json.encode(value)))


def test_the_name_of_what_has_none_is_no_name() -> None:
    with pytest.raises(TypeError, match=r"no argument can be named '\*'"):
        Shape[object](notify).sent(("ann",), {"*": 5})
