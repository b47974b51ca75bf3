"""The machine of declared workflows over values."""

from typing import TypedDict

import msgspec
import pytest

from mainspring import Retry, Workflow, do, parallel, sequence, step, workflow
from mainspring_engine.domain.limits import (
    DECLARATION_OPEN_MAX,
    PLAIN_FAILURES_MAX,
    WORKER_DEATHS_MAX,
)
from mainspring_engine.domain.materials import NotYet
from mainspring_engine.domain.rows import Closing, Outcome, TaskKind, TaskState
from mainspring_kernel.declaration_limits import DECLARATION_REFERENCES_MAX
from mainspring_kernel.errors import Conflict, ValidationFailed
from mainspring_kernel.limits import WORKFLOW_VALUE_INLINE_BYTES_MAX
from mainspring_schema.frames import Verdict
from mainspring_schema.tasks import PlainResult, WorkflowResult
from mainspring_schema.workflows import Flaw, WorkflowCancelReceipt
from tests.unit.engine.declared_desk import DeclaredDesk


@step(retry=Retry(attempts=2))
async def add(a: int, b: int = 0) -> int:
    return a + b


@step(queue="gpu")
async def render(what: dict[str, int]) -> str:
    return str(what)


@workflow(driver="machine")
def chain(n: int) -> int:
    return do(add, do(add, do(add, n, 1), n), b=5)


@workflow(driver="machine")
def fan(n: int) -> list[int]:
    with parallel():
        left = do(add, n, 1)
        right = do(add, n, 2)
    do(add, 0)
    return [left, right]


@workflow(driver="machine")
def branches(n: int) -> None:
    with parallel():
        do(add, n)
        with sequence():
            do(add, n)
            do(add, n)


class Found(TypedDict):
    price: int
    counts: list[int]


@step
async def lookup(n: int) -> Found:
    return {"price": n, "counts": [n]}


def drawn(of: "Workflow[..., object]") -> bytes:
    assert of.drawn is not None
    return of.drawn.declaration


def result_of(desk: DeclaredDesk) -> object:
    kept = msgspec.msgpack.decode(desk.memory.bodies["workflow"], type=WorkflowResult)
    return msgspec.json.decode(kept.result)


def test_a_start_makes_the_task_of_its_first_step() -> None:
    desk = DeclaredDesk(drawn(chain))

    (task,) = desk.last.tasks
    assert (task.kind, task.step, task.route.capability) == (TaskKind.STEP, "1", "task:add")
    assert desk.given == {"1": [1, 1]}
    assert desk.types == ["workflow.started"]
    assert len(str(desk.events[0][1]["version"])) == 12
    assert len(desk.last.configs) == 1  # the declaration is kept by its hash


def test_the_end_of_a_step_begins_the_next_in_the_same_decision() -> None:
    desk = DeclaredDesk(drawn(chain))

    assert desk.ends("1", b"2") is Verdict.COMMITTED

    assert (list(desk.tasks), desk.given["2"]) == (["2"], [2, 1])
    (close,) = desk.last.closes
    assert close.closing is Closing.RESULT
    (kept,) = desk.last.results
    assert kept.step == "1"


def test_the_last_step_ends_the_workflow_with_what_it_declared() -> None:
    desk = DeclaredDesk(drawn(chain))

    desk.ends("1", b"2")
    desk.ends("2", b"3")
    desk.ends("3", b"8")

    assert desk.given["3"] == {"a": 3, "b": 5}
    assert (desk.outcome, result_of(desk), desk.tasks) == (Outcome.COMPLETED, 8, {})
    assert desk.types == ["workflow.started", *["step.completed"] * 3, "workflow.completed"]
    assert desk.events[-1] == ("workflow.completed", {"result": 8})


def test_a_history_names_its_steps() -> None:
    desk = DeclaredDesk(drawn(chain))

    desk.do(desk.brought("1", PlainResult(result=b"2"), failures=1))

    told = {"step": "1", "name": "add", "kind": "step", "attempts": 2, "result": 2}
    assert desk.events[-1] == ("step.completed", told)


def test_a_fan_begins_at_once_and_joins_before_what_comes_after() -> None:
    desk = DeclaredDesk(drawn(fan))

    assert list(desk.tasks) == ["1", "2"]
    desk.ends("2", b"3")
    assert list(desk.tasks) == ["1"]
    desk.ends("1", b"2")
    assert list(desk.tasks) == ["3"]
    desk.ends("3")
    assert result_of(desk) == [2, 3]


def test_branches_that_end_in_one_flight_fold_into_one_change() -> None:
    desk = DeclaredDesk(drawn(fan))

    left = desk.brought("1", PlainResult(result=b"2"))
    right = desk.brought("2", PlainResult(result=b"3"))
    assert desk.do_all(left, right) == [Verdict.COMMITTED] * 2

    assert len(desk.last.workflows) == 1
    assert list(desk.tasks) == ["3"]


def test_a_result_that_comes_twice_counts_once() -> None:
    desk = DeclaredDesk(drawn(chain))
    answer = desk.brought("1", PlainResult(result=b"2"))

    assert desk.do_all(answer, answer) == [Verdict.COMMITTED, Verdict.DUPLICATE]
    assert desk.do_all(desk.brought("2", PlainResult())) == [Verdict.COMMITTED]

    assert len(desk.memory.bodies) == 3


def test_a_branch_is_a_sequence_of_its_own() -> None:
    desk = DeclaredDesk(drawn(branches))

    assert list(desk.tasks) == ["1", "2"]
    desk.ends("2")
    assert list(desk.tasks) == ["1", "3"]


def test_a_step_of_another_queue_goes_there() -> None:
    @workflow(driver="machine")
    def elsewhere(n: int) -> str:
        return do(render, {"n": do(add, n)})

    desk = DeclaredDesk(drawn(elsewhere), queue="orders")
    desk.ends("1", b"7")

    assert desk.routes == {"1": ("orders", "task:add"), "2": ("gpu", "task:render")}
    assert desk.given["2"] == [{"n": 7}]


def test_the_steps_of_a_pinned_workflow_are_pinned_on_its_own_queue() -> None:
    @workflow(driver="machine")
    def elsewhere(n: int) -> str:
        return do(render, {"n": do(add, n)})

    desk = DeclaredDesk(drawn(elsewhere), build="b7")
    first = desk.last.tasks
    desk.ends("1", b"7")
    second = desk.last.tasks

    assert [task.route.build for task in (*first, *second)] == ["b7", ""]


# ── failures ────────────────────────────────────────────────────────────────────────────────────


def test_a_step_that_is_to_be_tried_again_waits_and_moves_nothing() -> None:
    desk = DeclaredDesk(drawn(chain))
    before = desk.view.workflow

    desk.fails("1", retry_ms=250)

    (close,) = desk.last.closes
    assert (close.closing, close.delay_ms, close.counts_failure) == (Closing.RETRIED, 250, True)
    assert (desk.view.workflow, desk.tasks["1"].state) == (before, TaskState.DELAYED)


def test_a_step_is_not_tried_for_ever() -> None:
    desk = DeclaredDesk(drawn(chain))

    desk.fails("1", retry_ms=250, failures=PLAIN_FAILURES_MAX - 1)

    assert desk.outcome is Outcome.FAILED


def test_a_step_that_failed_for_good_ends_the_workflow_and_what_is_under_way() -> None:
    desk = DeclaredDesk(drawn(fan))

    desk.fails("1")

    assert (desk.outcome, desk.tasks, desk.course.open) == (Outcome.FAILED, {}, ())
    assert desk.types[-2:] == ["step.completed", "workflow.failed"]
    error = {"code": "no_stock", "message": "step 1 (add): none left", "type": ""}
    assert desk.events[-1][1] == {"error": error}
    assert [close.closing for close in desk.last.closes] == [Closing.FAILED, Closing.CANCELLED]


def test_a_step_that_was_to_be_tried_again_ends_with_the_one_that_fails_in_the_same_flight() -> (
    None
):
    desk = DeclaredDesk(drawn(fan))
    flaw = Flaw(code="no_stock", message="none left")
    again = desk.brought("1", PlainResult(flaw=flaw, retry_ms=100))
    lasting = desk.brought("2", PlainResult(flaw=flaw))

    assert desk.do_all(again, lasting) == [Verdict.COMMITTED] * 2

    ends = [(close.closing, close.delay_ms) for close in desk.last.closes]
    assert ends == [(Closing.CANCELLED, None), (Closing.FAILED, None)]
    assert (desk.outcome, desk.tasks) == (Outcome.FAILED, {})


def test_a_failure_waits_for_the_rows_of_tasks_that_the_same_flight_made() -> None:
    desk = DeclaredDesk(drawn(branches))
    good = desk.brought("2", PlainResult())
    bad = desk.brought("1", PlainResult(flaw=Flaw(code="no_stock", message="none left")))

    with pytest.raises(NotYet):
        desk.do_all(good, bad)


def test_a_value_that_does_not_fit_the_declaration_fails_the_workflow() -> None:
    @workflow(driver="machine")
    def taken_apart(n: int) -> int:
        found = do(lookup, n)
        return do(add, found["price"], found["counts"][1])

    desk = DeclaredDesk(drawn(taken_apart))
    desk.ends("1", b'{"counts":[1,2]}')

    assert desk.outcome is Outcome.FAILED
    told = desk.events[-1][1]["error"]
    assert told == {
        "code": "unfit_value",
        "message": "step 2 (add): there is no 'price' in what it refers to",
        "type": "",
    }


def test_parts_of_results_and_defaults_are_handed_on() -> None:
    @workflow(driver="machine")
    def taken_apart(n: int, more: int = 4) -> dict[str, int]:
        found = do(lookup, n)
        return {"sum": do(add, found["counts"][1], more)}

    desk = DeclaredDesk(drawn(taken_apart))
    desk.ends("1", b'{"counts":[1,2]}')
    desk.ends("2", b"6")

    assert desk.given["2"] == [2, 4]
    assert result_of(desk) == {"sum": 6}


def test_a_large_result_stands_with_its_step_alone() -> None:
    desk = DeclaredDesk(drawn(chain))
    raw = b'"' + b"x" * WORKFLOW_VALUE_INLINE_BYTES_MAX + b'"'

    desk.ends("1", raw)

    assert desk.events[-1][1]["result_bytes"] == len(raw)
    assert desk.given["2"] == [msgspec.json.decode(raw), 1]


def test_a_step_that_kills_its_workers_is_set_aside_and_ends_the_workflow() -> None:
    desk = DeclaredDesk(drawn(fan))
    leased = {"state": TaskState.LEASED, "fence": 3, "deaths": WORKER_DEATHS_MAX - 1}

    assert desk.dies("1", **leased) is Verdict.COMMITTED

    assert desk.outcome is Outcome.FAILED
    (letter,) = desk.last.dead_letters
    assert letter.reason == "poison"
    assert [close.closing for close in desk.last.closes] == [
        Closing.QUARANTINED, Closing.CANCELLED,
    ]  # fmt: skip


def test_of_several_steps_the_one_that_was_lost_is_set_aside() -> None:
    desk = DeclaredDesk(drawn(fan))
    first, last = desk.tasks
    lost = desk.tasks[last].id

    desk.dies(last, state=TaskState.LEASED, fence=3, deaths=WORKER_DEATHS_MAX - 1)

    assert first != last
    assert [letter.task_id for letter in desk.last.dead_letters] == [lost]


# ── commands ────────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_ends_it_at_once_with_all_that_is_under_way() -> None:
    desk = DeclaredDesk(drawn(fan))

    assert desk.cancel() == WorkflowCancelReceipt(status="cancelled")

    assert (desk.outcome, desk.tasks) == (Outcome.CANCELLED, {})
    assert desk.events[-1] == ("workflow.cancelled", {"reason": "enough"})


def test_a_cancelled_one_is_not_cancelled_again() -> None:
    desk = DeclaredDesk(drawn(chain))
    desk.cancel()

    assert desk.cancel() == WorkflowCancelReceipt(status="no_op")


def test_it_waits_for_no_signals() -> None:
    with pytest.raises(Conflict):
        DeclaredDesk(drawn(chain)).signal()


@pytest.mark.parametrize("input_", [b"[]", b"[1,2]", b'{"m":1}', b"7"])
def test_an_input_that_does_not_fit_is_refused_at_the_start(input_: bytes) -> None:
    with pytest.raises(ValidationFailed):
        DeclaredDesk(drawn(chain), input_=input_)


def test_one_that_was_started_by_its_name_runs_what_a_worker_declares() -> None:
    desk = DeclaredDesk(None)
    assert list(desk.tasks) == ["workflow"]

    desk.declares(drawn(chain))

    assert list(desk.tasks) == ["1"]
    assert desk.types[-1] == "workflow.declared"
    assert desk.last.closes[0].closing is Closing.SUSPENDED
    for place in ("1", "2", "3"):
        desk.ends(place, b"1")
    assert desk.outcome is Outcome.COMPLETED


def test_a_declaration_that_cannot_be_run_fails_one_that_was_started_by_its_name() -> None:
    desk = DeclaredDesk(None)

    desk.declares(b"{}")

    assert desk.outcome is Outcome.FAILED
    assert desk.state.problem.startswith("invalid_declaration")


def test_one_that_was_started_by_its_name_may_refer_as_often_as_others() -> None:
    desk = DeclaredDesk(None)
    often = b",".join([b'{"from":"input","name":"n"}'] * (DECLARATION_REFERENCES_MAX + 1))

    desk.declares(drawn(chain).replace(b'{"from":"value","value":1}', often, 1))

    assert desk.outcome is Outcome.FAILED
    assert desk.state.problem.startswith("invalid_declaration: it refers")


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────


def test_a_wide_fan_has_a_bound_of_open_tasks_and_all_of_it_is_done() -> None:
    wide = 3 * DECLARATION_OPEN_MAX

    @workflow(driver="machine")
    def many(n: int) -> int:
        with parallel():
            for _ in range(wide):
                do(add, n)
        return do(add, n)

    desk = DeclaredDesk(drawn(many))
    width = 0
    while desk.tasks:
        width = max(width, len(desk.tasks))
        desk.ends(next(iter(desk.tasks)))

    assert (width, desk.outcome) == (DECLARATION_OPEN_MAX, Outcome.COMPLETED)
    assert len(desk.given) == wide + 1
