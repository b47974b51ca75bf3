"""What is given in place of a workflow or a step is refused with a word that helps."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import cast

import pytest

from mainspring import Client, Step, Worker, do, step, workflow
from mainspring.errors import NotInWorkflow
from mainspring.retries import Retry


@step
async def double(x: int) -> int:
    return 2 * x


@workflow
async def doubled(x: int) -> int:
    return await double(x)


async def undecorated(x: int) -> int:
    return x


@pytest.mark.parametrize("given", [undecorated, 7])
def test_a_worker_offers_what_is_decorated(given: object) -> None:
    with pytest.raises(TypeError, match="is neither: decorate it"):
        Worker([cast("Step[..., object]", given)])


def test_a_worker_offers_something() -> None:
    with pytest.raises(ValueError, match="this one has none"):
        Worker([])


async def test_a_step_is_submitted_and_a_workflow_is_started() -> None:
    async with Client() as client:
        starting = cast("Callable[..., Coroutine[object, object, object]]", client.start)
        submitting = cast("Callable[..., Awaitable[object]]", client.submit)

        with pytest.raises(TypeError, match="double is a step: submit it, or start its `task`"):
            await starting(double, 1)
        with pytest.raises(TypeError, match="undecorated is no workflow"):
            await starting(undecorated, 1)
        with pytest.raises(TypeError, match="doubled is a workflow: start it"):
            await submitting(doubled, 1)
        with pytest.raises(TypeError, match="undecorated is no step"):
            client.submitting(cast("Step[..., int]", undecorated))


def test_a_method_is_no_step() -> None:
    class Shop:
        async def sell(self, item: str) -> str:
            return item

    with pytest.raises(TypeError, match=r"Shop\.sell: a step is a function, not a method"):
        step(Shop.sell)


def test_a_function_of_a_class_may_be_one() -> None:
    class Shop:
        @staticmethod
        @step
        async def sell(item: str) -> str:
            return item

    assert isinstance(Shop.sell, Step)


def test_a_generator_is_no_step() -> None:
    async def lines(path: str) -> AsyncIterator[str]:
        yield path

    with pytest.raises(TypeError, match="returns once, and does not yield"):
        step(lines)


def test_what_is_declared_has_no_code_to_compensate() -> None:
    with pytest.raises(TypeError, match="are of code"):

        @workflow(driver="machine", compensates=True)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
        def declared(x: int) -> int:
            return do(double, x)


def test_times_may_be_timedeltas() -> None:
    @step(timeout_s=timedelta(minutes=2), heartbeat_s=timedelta(seconds=1.5))
    async def slow() -> None: ...

    assert (slow.timeout_s, slow.heartbeat_s) == (120.0, 1.5)
    with pytest.raises(ValueError, match="above 0"):
        step(close_within_s=timedelta(0))


def test_what_only_a_workflow_may_await_is_not_tried_again_in_a_step() -> None:
    assert Retry().delay(NotInWorkflow("sleep"), attempt=1, draw=0.5) is None
