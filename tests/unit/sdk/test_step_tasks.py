"""Steps that are tasks of their own."""

import pytest
from msgspec import Struct

from mainspring import step, workflow
from mainspring_schema.workflows import ChildStart
from tests.unit.sdk.fake import CALLS, FakeEngine, double
from tests.unit.sdk.test_going_waits import came


class Frame(Struct):
    width: int


@step(queue="gpu")
async def render(width: int) -> Frame:
    CALLS.append(("render", width))
    return Frame(width)


@workflow
async def film(width: int) -> int:
    frame = await render(await double(width))
    return frame.width


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


async def test_a_step_that_names_a_queue_is_a_task_there() -> None:
    engine = FakeEngine(1)

    first = await engine.run(film)
    (wait,) = first.waits
    engine.keep((came(wait, b'{"width":2}'),))
    second = await engine.run(film)

    assert wait.child == ChildStart(type="step:render", input=b"[2]", queue="gpu")
    assert (second.outcome, second.result) == ("completed", b"2")
    assert CALLS == [1]


@step(queue="bills", keys=("customer:{customer}",), circuit="stripe")
async def bill(customer: str) -> None:
    del customer


@workflow
async def billing(customer: str) -> None:
    await bill(customer)


async def test_its_task_is_under_the_keys_of_the_step() -> None:
    (wait,) = (await FakeEngine("a@b.c").run(billing)).waits

    assert wait.child is not None
    assert (wait.child.keys, wait.child.circuit) == (("customer:a@b.c",), "stripe")


async def test_an_argument_that_makes_no_key_fails_before_anything_is_sent() -> None:
    result = await FakeEngine("two words").run(billing)

    assert (result.outcome, result.waits) == ("failed", ())
    assert result.flaw is not None
    assert "a key" in result.flaw.message


async def test_its_task_does_the_step_itself_with_its_record() -> None:
    engine = FakeEngine(3)

    result = await engine.run(render.task)

    assert (result.outcome, result.result) == ("completed", b'{"width":3}')
    (record,) = result.steps
    assert (record.name, record.kind) == ("render", "step")


async def test_outside_of_a_workflow_it_is_a_plain_call() -> None:
    assert await render(4) == Frame(4)
