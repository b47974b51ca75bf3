"""Tasks that may not be given out again, and what becomes of their turns and workflows."""

import msgspec

from mainspring_engine.domain.limits import ATTEMPTS_UNCOUNTED_MAX
from mainspring_engine.domain.rows import Closing, Effect, Outcome, TaskKind
from mainspring_schema.frames import Verdict
from tests.unit.engine import program
from tests.unit.engine.desk import Desk


def test_last_allowed_death_quarantines_and_fails_the_turn() -> None:
    desk = Desk()
    desk.say("x")
    (task,) = desk.tasks.values()
    task = desk.change_task(task, deaths=2)

    desk.died(task)

    assert desk.last is not None
    assert [letter.reason for letter in desk.last.dead_letters] == ["poison"]
    assert desk.data_of("turn.failed")[0]["error_code"] == "poison"


def test_a_turn_that_no_worker_keeps_is_sealed_and_waits_for_an_operator() -> None:
    desk = Desk()
    desk.say("x")
    (task,) = desk.tasks.values()
    task = desk.change_task(task, uncounted=ATTEMPTS_UNCOUNTED_MAX - 1)

    desk.do(msgspec.structs.replace(desk.dead(task), acknowledged=False))

    assert desk.last is not None
    (close,), (letter,) = desk.last.closes, desk.last.dead_letters
    assert (close.closing, close.error_code, close.counts_death) == (
        Closing.QUARANTINED, "no_progress", False,
    )  # fmt: skip
    assert letter.reason == "no_progress"
    (sealed,) = desk.data_of("turn.sealed")
    assert (sealed["reason"], sealed["detail"]) == ("no_progress", letter.detail)
    assert "turn.sealed" in desk.types
    assert desk.tasks == {}


def test_poisoned_tool_gives_its_siblings_a_result_too() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("a", "b")
    first, _ = desk.open(TaskKind.TOOL)
    first = desk.change_task(first, deaths=2)

    desk.died(first)

    assert len(desk.data_of("tool.completed")) == 2
    assert desk.tasks == {}


def test_a_lost_attempt_beside_a_poisoned_one_is_closed_once() -> None:
    """Both die in one flight: the first is to ask its probe, and then the second ends the turn."""
    desk = Desk()
    desk.say("x")
    desk.call("pay", "b", probed=("pay",))
    payment, poisoned = desk.open(TaskKind.TOOL)
    payment = desk.change_task(payment, effect=Effect.VERIFIABLE, started=True)
    poisoned = desk.change_task(poisoned, deaths=2)

    desk.do_all(desk.dead(payment), desk.dead(poisoned))

    assert desk.last is not None
    assert [(close.task_id, close.closing, close.delay_ms) for close in desk.last.closes] == [
        (payment.id, Closing.UNKNOWN, None),
        (poisoned.id, Closing.QUARANTINED, None),
    ]
    assert desk.tasks == {}


def test_a_workflow_that_kills_its_workers_is_set_aside() -> None:
    desk = program.Desk()
    desk.claimed(deaths=2)

    assert desk.dies() is Verdict.COMMITTED

    assert desk.view.workflow is not None
    assert desk.view.workflow.outcome is Outcome.FAILED
    assert len(desk.last.dead_letters) == 1
    assert desk.state.problem.startswith("poison: ")


def test_a_workflow_that_no_worker_keeps_is_set_aside_and_says_so() -> None:
    desk = program.Desk()
    desk.claimed(uncounted=ATTEMPTS_UNCOUNTED_MAX - 1)

    desk.dies(acknowledged=False)

    (letter,) = desk.last.dead_letters
    assert letter.reason == "no_progress"
    assert desk.state.problem == f"no_progress: {letter.detail}"


def test_a_death_whose_like_were_taken_back_meanwhile_sets_nothing_aside() -> None:
    """A step was recorded before it in the same lane."""
    desk = program.Desk()
    desk.claimed(deaths=2)
    assert desk.task is not None
    seen = desk.task
    desk.task = msgspec.structs.replace(seen, deaths=0)

    assert desk.dies(seen=seen) is Verdict.STALE

    assert desk.last.dead_letters == ()
