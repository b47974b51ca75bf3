"""Options that would do nothing are refused where they are written."""

import math
from collections.abc import Callable

import pytest

from mainspring import Client, Worker, child, step, workflow
from tests.unit.sdk.fake import FakeEngine


async def ship(order: int) -> None:
    del order


it = step(ship)


@workflow
async def idle() -> None: ...


TIMED: list[Callable[[float], object]] = [
    lambda s: step(timeout_s=s),
    lambda s: step(heartbeat_s=s),
    lambda s: step(start_within_s=s),
    lambda s: step(close_within_s=s),
]


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
@pytest.mark.parametrize("made", TIMED, ids=["timeout", "heartbeat", "start", "close"])
def test_a_time_of_nothing_is_refused(made: Callable[[float], object], seconds: float) -> None:
    with pytest.raises(ValueError, match=r"_s=.*: seconds, above 0"):
        made(seconds)


@pytest.mark.parametrize(
    "made",
    [
        lambda: step(keys="eu"),
        lambda: step(keys=(7,)),  # pyright: ignore[reportArgumentType] -- as people write it
        lambda: child(idle, keys="eu"),
        lambda: Worker([it], queues="default"),
    ],
    ids=["keys", "numbers", "child", "queues"],
)
def test_one_text_is_not_taken_for_its_letters(made: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="a list or tuple of texts"):
        made()


async def test_one_text_is_not_taken_for_the_keys_of_a_submit_or_a_start() -> None:
    async with Client("http://x") as client:
        with pytest.raises(TypeError, match="keys='eu': a list or tuple of texts"):
            client.submitting(it, keys="eu")
        with pytest.raises(TypeError, match="keys='eu': a list or tuple of texts"):
            client.starting(idle, keys="eu")


@pytest.mark.parametrize(
    "keys", [("a", "b", "c", "d", "e"), ("a b",), ("zákazník",), ("all*",), ("",), ("x" * 101,)]
)
def test_keys_that_are_none_are_refused(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="key"):
        step(keys=keys)(ship)


def test_a_circuit_or_a_queue_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="circuit"):
        step(circuit="a b")(ship)
    with pytest.raises(ValueError, match="queue='ü'"):
        step(queue="ü")


def test_keys_of_arguments_are_taken() -> None:
    keys = ("order:{order}", "{order}", "all:{order!r:>3}", "eu")

    assert step(keys=keys, circuit="post")(ship).keys == keys


@pytest.mark.parametrize(
    "made",
    [
        lambda: Worker([it], slots=0),
        lambda: Worker([it], build="b" * 1000),
        lambda: Worker([it], name="n" * 1000),
        lambda: Worker([it], queues=["q" * 1000]),
    ],
    ids=["slots", "build", "name", "queue"],
)
def test_a_worker_that_no_engine_would_take_is_refused(made: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"slots=0|characters"):
        made()


async def test_keys_of_a_step_that_is_no_task_are_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @step(keys=("customer:{customer}",))
    async def bill(customer: int) -> int:
        return customer

    @workflow
    async def billing() -> list[int]:
        return [await bill(1), await bill(2)]

    assert (await FakeEngine().run(billing)).result == b"[1,2]"

    (line,) = caplog.messages
    assert "step bill runs within its workflow's task" in line
