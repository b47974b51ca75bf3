"""Plain tasks that fail: which leave a dead letter, what it says, and who takes it up."""

from typing import cast
from uuid import UUID, uuid4

import msgspec
import pytest

from mainspring_engine.domain.plain import LETTER_BYTES_MAX, end_of
from mainspring_engine.main import Engine
from mainspring_kernel.errors import TaskIdMismatch, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.frames import Held
from mainspring_schema.operations import GetLetter, LetterDetails, LetterView
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.unit.engine.test_plain_tasks import FLAW, again, answered, many, order
from tests.unit.engine.whole import IDS


def test_a_task_that_was_tried_as_often_as_it_wanted_leaves_a_dead_letter() -> None:
    once = end_of(answered(PlainResult(flaw=FLAW)))
    third = end_of(answered(PlainResult(flaw=FLAW), failures=2))
    for_good = end_of(answered(PlainResult(flaw=FLAW, lasting=True)))
    again = end_of(answered(PlainResult(flaw=FLAW, retry_ms=5)))

    said = f"{FLAW.code}: {FLAW.message}"
    assert (once.reason, once.detail) == ("exhausted", f"its only attempt failed: {said}")
    assert third.detail == f"the last of 3 attempts failed: {said}"
    assert (for_good.reason, again.reason) == (None, None)


def test_a_letter_says_so_much_and_no_more() -> None:
    long = PlainResult(flaw=Flaw(code="c", message="ä" * 2_000))

    end = end_of(answered(long))

    assert end.detail is not None
    assert len(end.detail.encode()) <= LETTER_BYTES_MAX


def test_an_attempt_keeps_what_its_worker_told_but_for_what_no_column_takes() -> None:
    flaw = Flaw(code="c", message="no\0 file")
    last = end_of(answered(PlainResult(flaw=flaw)))
    again = end_of(answered(PlainResult(flaw=flaw, retry_ms=5)))

    assert (last.error_message, again.error_message) == ("no file", "no file")
    assert last.detail == "its only attempt failed: c: no file"


async def test_a_failed_task_that_is_done_again_takes_its_letter_with_it(
    engine: Engine, worker: ScriptedWorker
) -> None:
    task, new_id = order(), IDS.uuid7()
    await engine.plain_tasks.submit(many(task))
    worker.bring(await worker.next_task(), PlainResult(flaw=FLAW))
    await worker.acknowledged()
    asked = GetLetter(org_id=DEFAULT_ORG_ID, task_id=task.task_id)
    before = cast("LetterDetails", await engine.operator.inspect(asked)).letter

    await engine.plain_tasks.requeue(again(task, new_id))

    assert (before.status, before.reason) == ("open", "exhausted")
    after = cast("LetterDetails", await engine.operator.inspect(asked)).letter
    assert (after.status.startswith("requeue"), after.requeued_as) == (True, new_id)
    assert (await worker.next_task()).held == Held(new_id, 1)


async def failed(engine: Engine, worker: ScriptedWorker) -> SubmitTask:
    task = order()
    await engine.plain_tasks.submit(many(task))
    worker.bring(await worker.next_task(), PlainResult(flaw=FLAW))
    await worker.acknowledged()
    return task


async def letter_of(engine: Engine, task: SubmitTask) -> LetterView:
    asked = GetLetter(org_id=DEFAULT_ORG_ID, task_id=task.task_id)
    return cast("LetterDetails", await engine.operator.inspect(asked)).letter


@pytest.mark.parametrize("new_id", [uuid4(), UUID(int=0), UUID(int=1 << 80 | 7 << 76 | 2 << 62)])
async def test_an_id_that_no_task_can_have_leaves_the_letter_open(
    engine: Engine, worker: ScriptedWorker, new_id: UUID
) -> None:
    task = await failed(engine, worker)

    with pytest.raises(ValidationFailed, match="id"):
        await engine.plain_tasks.requeue(again(task, new_id))

    assert (await letter_of(engine, task)).status == "open"


@pytest.mark.parametrize("org_id", [DEFAULT_ORG_ID, IDS.uuid7()])
async def test_the_id_of_another_task_does_not_take_a_letter_up(
    engine: Engine, worker: ScriptedWorker, org_id: UUID
) -> None:
    task, other = await failed(engine, worker), order()
    other = msgspec.structs.replace(other, org_id=org_id, queue="nobody")
    await engine.plain_tasks.submit(many(other))

    with pytest.raises(TaskIdMismatch):
        await engine.plain_tasks.requeue(again(task, other.task_id))

    assert (await letter_of(engine, task)).status == "open"
    new_id = IDS.uuid7()
    await engine.plain_tasks.requeue(again(task, new_id))
    assert (await worker.next_task()).held == Held(new_id, 1)


async def test_two_letters_are_not_taken_up_by_one_task(
    engine: Engine, worker: ScriptedWorker
) -> None:
    first, second, new_id = await failed(engine, worker), await failed(engine, worker), IDS.uuid7()
    await engine.plain_tasks.requeue(again(first, new_id))

    with pytest.raises(TaskIdMismatch):
        await engine.plain_tasks.requeue(again(second, new_id))

    assert (await letter_of(engine, second)).status == "open"
