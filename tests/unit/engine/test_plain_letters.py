"""Plain tasks that fail: which leave a dead letter, what it says, and who takes it up."""

from typing import cast

from mainspring_engine.domain.plain import LETTER_BYTES_MAX, end_of
from mainspring_engine.main import Engine
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.frames import Held
from mainspring_schema.operations import GetLetter, LetterDetails
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
