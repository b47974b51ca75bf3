"""What a step does to its arguments stays within it, and why it failed is told the same again."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from mainspring import NO_RETRY, Retry, StepFailed, step, workflow
from mainspring.definitions import Workflow
from tests.unit.sdk.fake import FakeEngine


@dataclass
class Basket:
    items: list[str] = field(default_factory=list)


@step
async def put(basket: Basket, item: str) -> int:
    basket.items.append(item)
    return len(basket.items)


@step
async def extend(found: dict[str, list[int]]) -> int:
    found.setdefault("x", []).append(1)
    return len(found["x"])


async def twice(it: "Workflow[..., object]") -> tuple[bytes, bytes]:
    engine = FakeEngine()
    first = await engine.run(it)
    again = await engine.go(it).run()
    assert (first.outcome, again.outcome) == ("completed", "completed"), (first, again)
    return first.result, again.result


async def test_a_step_changes_nothing_of_what_its_workflow_has() -> None:
    @workflow
    async def shopping() -> list[object]:
        basket, found = Basket(), {"x": [0]}
        counts = [await put(basket, "tea"), await put(basket, item="jam"), await extend(found)]
        return [counts, basket.items, found]

    first, again = await twice(shopping)

    assert first == again == b'[[1,1,2],[],{"x":[0]}]'


async def test_each_attempt_has_the_arguments_as_they_were() -> None:
    seen: list[int] = []

    @step(retry=Retry(first_s=0))
    async def picky(rows: list[int]) -> int:
        seen.append(len(rows))
        rows.append(1)
        if len(seen) < 3:
            raise ValueError
        return len(rows)

    @workflow
    async def trying() -> int:
        return await picky([])

    assert await twice(trying) == (b"1", b"1")
    assert seen == [0, 0, 0]


async def test_values_of_a_class_that_no_module_has_are_copied_as_well() -> None:
    @dataclass
    class Local:
        rows: list[int]

    @step
    async def add(it: Local) -> int:
        it.rows.append(1)
        return len(it.rows)

    @workflow
    async def adding() -> list[int]:
        it = Local([])
        await add(it)
        return it.rows

    assert await twice(adding) == (b"[]", b"[]")


async def test_what_a_step_raised_is_no_cause_in_a_replay_so_in_no_run() -> None:
    @step(retry=NO_RETRY)
    async def pay() -> None:
        raise LookupError

    @workflow
    async def asking() -> list[object]:
        try:
            await pay()
        except StepFailed as failed:
            return [failed.type, failed.__cause__ is None, failed.__context__ is None]
        return []

    assert await twice(asking) == (b'["LookupError",true,true]',) * 2


async def test_where_a_step_and_a_workflow_failed_is_logged_with_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @step(retry=Retry(attempts=2, first_s=0))
    async def charge() -> None:
        message = "no such account"
        raise KeyError(message)

    @workflow
    async def order(amount: int) -> int:
        try:
            await charge()
        except StepFailed:
            return [0, 1][amount]
        return 0

    caplog.set_level(logging.INFO, "mainspring")

    result = await FakeEngine(3).run(order)

    assert result.flaw is not None
    assert (result.flaw.code, result.flaw.type) == ("workflow_failed", "IndexError")
    told = [(one.levelname, one.getMessage(), one.exc_info is not None) for one in caplog.records]
    assert told == [
        ("INFO", "step charge failed: KeyError: 'no such account', again in 0.0 s", False),
        ("WARNING", "step charge failed: KeyError: 'no such account'", True),
        ("WARNING", "workflow order failed: IndexError: list index out of range", True),
    ]


async def test_a_traceback_in_the_log_begins_where_the_user_s_code_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @step(retry=NO_RETRY)
    async def charge() -> None:
        message = "no such account"
        raise KeyError(message)

    @step(retry=NO_RETRY)
    def ship() -> None:  # in a thread
        raise KeyError

    @workflow
    async def order() -> None:
        for one in (charge, ship):
            with suppress(StepFailed):
                await one()
        raise LookupError

    await FakeEngine().run(order)

    begins = [
        one.exc_info[2].tb_frame.f_code.co_name
        for one in caplog.records
        if one.exc_info is not None and one.exc_info[2] is not None
    ]
    assert begins == ["charge", "ship", "order"]


async def test_a_failure_outside_of_the_user_s_code_is_logged_with_all_that_led_to_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @step(retry=NO_RETRY)
    async def ask() -> object:
        return object()  # no JSON: the one who says so is not the user

    @workflow
    async def order() -> None:
        await ask()

    await FakeEngine().run(order)

    whole = [one.exc_info and one.exc_info[2] for one in caplog.records]
    assert [trace is not None for trace in whole] == [True]


async def test_a_workflow_that_a_step_ended_says_which(caplog: pytest.LogCaptureFixture) -> None:
    @step(retry=NO_RETRY)
    async def charge() -> None:
        message = "declined"
        raise PermissionError(message)

    @workflow
    async def order() -> None:
        await charge()

    result = await FakeEngine().run(order)

    assert result.flaw is not None
    assert result.flaw.message == "step 1 (charge): declined"
    assert [one.exc_info is not None for one in caplog.records] == [True]  # once


async def test_a_failure_whose_words_cannot_be_written_is_logged_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @step(retry=NO_RETRY)
    async def charge() -> None:
        message = "half a character: \ud800"
        raise ValueError(message)

    @workflow
    async def order() -> None:
        await charge()

    await FakeEngine().run(order)

    (line,) = [one.getMessage() for one in caplog.records]
    assert line.encode().startswith(b"step charge failed: ValueError: half a character: ?")
    assert "in charge" in line
