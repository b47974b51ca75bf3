"""What a step learns of itself, wherever it is carried out."""

import pytest

from mainspring import NotInStep, Retry, StepInfo, step, step_info, workflow
from mainspring_local.testing import environment

seen: list[StepInfo] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@step(retry=Retry(attempts=2))
async def pay(cents: int) -> str:
    seen.append(step_info())
    if len(seen) == 1:
        message = "the line broke"
        raise ConnectionError(message)
    return step_info().idempotency_key


@step
def pay_in_a_thread() -> str:
    return step_info().idempotency_key


@step(queue="default")
async def pay_elsewhere() -> StepInfo:
    return step_info()


@step(cpu_bound=True)
def pay_in_a_process() -> StepInfo:
    return step_info()


@workflow
async def shop() -> tuple[str, str, StepInfo, StepInfo]:
    return (
        await pay(3), await pay_in_a_thread(), await pay_in_a_process(), await pay_elsewhere()
    )  # fmt: skip


async def test_each_attempt_has_the_key_of_its_step_and_no_other_step_has_it() -> None:
    async with environment(shop, pay, pay_elsewhere, processes=1) as env:
        handle = await env.client.start(shop)
        first, second, third, fourth = await env.result_of(handle)

    assert [info.idempotency_key for info in seen] == [first, first]
    assert len({first, second, third.idempotency_key, fourth.idempotency_key}) == 4
    assert {info.workflow_id for info in (*seen, third)} == {handle.id}


async def test_a_task_has_its_own_id_for_a_key() -> None:
    async with environment(pay) as env:
        handle = await env.client.submit(pay, 3)
        key = await env.result_of(handle)

    assert key == handle.id
    assert seen == [StepInfo(idempotency_key=key, task_id=key)] * 2


def test_a_step_that_is_called_as_a_function_is_told_so() -> None:
    with pytest.raises(NotInStep):
        pay_in_a_thread.function()  # as one without a worker
