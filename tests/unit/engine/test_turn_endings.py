"""How turns end: cancelled, failed, quarantined, closed."""

from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.limits import ATTEMPTS_PER_STEP_MAX, ATTEMPTS_UNCOUNTED_MAX
from mainspring_engine.domain.rows import (
    Closing,
    Effect,
    OpenTask,
    Outcome,
    TaskKind,
    TaskState,
)
from mainspring_engine.domain.turn.agent import AskedModel
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.events import ModelMetadata
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import ErrorClass, Failure, ReasonResult, ToolResult
from tests.unit.engine.desk import AGENT, Desk


def failed(error_class: ErrorClass, code: str = "boom") -> ReasonResult:
    return ReasonResult(failure=Failure(error_class=error_class, code=code, message="it broke"))


def test_cancel_waits_for_the_holder_and_then_has_the_order_of_the_wire() -> None:
    desk = Desk()
    desk.say("long")

    desk.cancel()
    assert "turn.cancelled" not in desk.types
    (task,) = desk.tasks.values()
    assert task.cancelling
    desk.answer(failed("cancelled"))

    assert desk.types[-4:] == [
        "turn.cancelled",
        "input.message",
        "output.message.completed",
        "session.idled",
    ]
    assert desk.tasks == {}


def test_cancel_closes_what_nobody_holds_at_once() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("add")
    (task,) = desk.open(TaskKind.TOOL)
    desk.change_task(task, state=TaskState.READY, fence=0)

    desk.cancel()

    assert desk.data_of("tool.completed")[0]["status"] == "cancelled"
    assert desk.types[-1] == "session.idled"
    assert desk.view.workflow is not None
    assert desk.view.workflow.outcome is Outcome.CANCELLED


def test_a_cancel_leaves_the_call_that_a_worker_holds_to_it() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("add", "look")
    waiting, held = desk.open(TaskKind.TOOL)
    desk.change_task(waiting, state=TaskState.READY, fence=0)

    desk.cancel()

    assert len(desk.data_of("tool.completed")) == 1
    assert list(desk.tasks) == [held.id]
    assert "turn.cancelled" not in desk.types


def test_cancel_of_an_idle_session_is_no_op() -> None:
    desk = Desk()
    desk.say("x")
    desk.reply("y")
    before = len(desk.types)

    answer = desk.cancel()

    assert isinstance(answer, commands.CancelReceipt)
    assert answer.status == "no_op"
    assert len(desk.types) == before


def test_message_after_the_cancel_starts_the_next_turn() -> None:
    desk = Desk()
    desk.say("first")
    desk.cancel()

    desk.say("second")
    desk.answer(failed("cancelled"))

    assert desk.types.count("turn.started") == 2
    assert desk.head.status is SessionStatus.ACTIVE
    desk.reply("ok")
    assert desk.types.count("turn.completed") == 1


def test_message_before_the_cancel_belongs_to_the_cancelled_turn() -> None:
    desk = Desk()
    desk.say("first")
    desk.say("second")

    desk.cancel()
    desk.answer(failed("cancelled"))

    assert desk.types.count("turn.started") == 1
    assert desk.head.status is SessionStatus.IDLE


def test_transient_failure_is_retried_without_an_event() -> None:
    desk = Desk()
    desk.say("x")
    before = len(desk.types)

    desk.answer(failed("transient"))

    (task,) = desk.tasks.values()
    assert task.state is TaskState.DELAYED
    assert len(desk.types) == before


def test_a_model_that_fails_again_and_again_is_not_asked_for_ever() -> None:
    desk = Desk()
    desk.say("x")

    for _ in range(ATTEMPTS_PER_STEP_MAX):
        assert "turn.failed" not in desk.types
        desk.answer(failed("transient"))

    assert [told["error_code"] for told in desk.data_of("turn.failed")] == ["boom"]
    assert desk.tasks == {}


def test_a_fallback_that_answers_is_named_where_the_first_model_failed() -> None:
    other = ModelMetadata(model="other", model_id="model_2", provider_id="provider_2")
    fallback = AskedModel(metadata=other, provider="second")
    desk = Desk(msgspec.structs.replace(AGENT, fallbacks=(fallback,)))
    desk.say("x")

    desk.answer(failed("auth"))
    (task,) = desk.tasks.values()
    desk.answer(ReasonResult(text="hi", choice=1))

    assert task.state is TaskState.DELAYED
    assert desk.types[-1] == "session.idled"
    (generation,) = desk.data_of("llm.generation")
    (answer,) = desk.data_of("output.message.completed")
    assert cast("dict[str, object]", generation["metadata"])["provider"] == "second"
    assert cast("dict[str, object]", answer["metadata"])["model_id"] == "model_2"


@pytest.mark.parametrize("error_class", ["auth", "invalid_request", "model_output"])
def test_final_failure_ends_the_turn_visibly(error_class: ErrorClass) -> None:
    desk = Desk()
    desk.say("x")

    desk.answer(failed(error_class, "provider_misconfigured"))

    assert desk.types[-4:] == [
        "output.message.completed",
        "reason.completed",
        "turn.failed",
        "session.idled",
    ]
    assert desk.data_of("turn.failed")[0]["error_code"] == "provider_misconfigured"
    assert desk.data_of("output.message.completed")[0]["error_code"] == "provider_misconfigured"


def test_message_waiting_when_a_turn_fails_starts_the_next() -> None:
    desk = Desk()
    desk.say("x")
    desk.say("y")

    desk.answer(failed("auth"))

    assert desk.types.count("turn.failed") == 1
    assert desk.types.count("turn.started") == 2


def test_started_effect_of_a_dead_worker_is_shown_as_unknown() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("pay")
    (task,) = desk.open(TaskKind.TOOL)
    task = desk.change_task(task, effect=Effect.AT_MOST_ONCE, started=True)

    desk.died(task)

    (completed,) = desk.data_of("tool.completed")
    assert completed["success"] is False
    assert "not known" in str(completed["error"])
    assert len(desk.open(TaskKind.REASON)) == 1


def lost_payment(desk: Desk, *, deaths: int = 0, probed: bool = True) -> OpenTask:
    """A started call of a verifiable tool whose worker is gone."""
    desk.say("x")
    desk.call("pay", probed=("pay",) if probed else ())
    (task,) = desk.open(TaskKind.TOOL)
    return desk.change_task(task, effect=Effect.VERIFIABLE, started=True, deaths=deaths)


def test_started_verifiable_call_is_given_out_again_to_ask_its_probe() -> None:
    desk = Desk()
    task = lost_payment(desk)

    desk.died(task)

    assert desk.last is not None
    (close,) = desk.last.closes
    assert (close.closing, close.delay_ms, close.counts_death) == (Closing.EXPIRED, 0, True)
    assert desk.data_of("tool.completed") == []
    (waiting,) = desk.open(TaskKind.TOOL)
    assert (waiting.state, waiting.deaths) == (TaskState.DELAYED, 1)


@pytest.mark.parametrize(
    ("status", "closing", "told"),
    [
        ("success", Closing.RESULT, "success"),
        ("error", Closing.FAILED, "error"),
        ("unknown", Closing.UNKNOWN, "error"),
    ],
)
def test_what_a_probe_tells_ends_the_call(status: str, closing: Closing, told: str) -> None:
    desk = Desk()
    desk.died(lost_payment(desk))
    (task,) = desk.open(TaskKind.TOOL)
    task = desk.change_task(task, state=TaskState.LEASED, fence=2)

    desk.answer(msgspec.convert({"type": "tool", "status": status}, ToolResult), task)

    assert desk.last is not None
    assert [close.closing for close in desk.last.closes] == [closing]
    (completed,) = desk.data_of("tool.completed")
    assert completed["status"] == told
    assert len(desk.open(TaskKind.REASON)) == 1


def test_probes_that_kill_their_workers_leave_the_outcome_unknown() -> None:
    desk = Desk()
    task = lost_payment(desk, deaths=2)

    desk.died(task)

    (completed,) = desk.data_of("tool.completed")
    assert "not known" in str(completed["error"])
    assert desk.types[-1] != "turn.failed"
    assert len(desk.open(TaskKind.REASON)) == 1


def test_a_probe_that_came_to_no_worker_is_no_death() -> None:
    desk = Desk()
    task = lost_payment(desk, deaths=2)

    desk.do(msgspec.structs.replace(desk.dead(task), acknowledged=False))

    assert desk.last is not None
    (close,) = desk.last.closes
    assert (close.closing, close.delay_ms, close.counts_death) == (Closing.UNDELIVERED, 0, False)
    assert desk.data_of("tool.completed") == []


def test_probes_that_come_to_no_worker_leave_the_outcome_unknown_in_the_end() -> None:
    desk = Desk()
    task = desk.change_task(lost_payment(desk), uncounted=ATTEMPTS_UNCOUNTED_MAX - 1)

    desk.do(msgspec.structs.replace(desk.dead(task), acknowledged=False))

    (completed,) = desk.data_of("tool.completed")
    assert "not known" in str(completed["error"])


def test_verifiable_call_without_a_probe_ends_unknown_at_once() -> None:
    desk = Desk()
    task = lost_payment(desk, probed=False)

    desk.died(task)

    (completed,) = desk.data_of("tool.completed")
    assert "not known" in str(completed["error"])


def test_cancelled_turn_asks_no_probe() -> None:
    desk = Desk()
    task = lost_payment(desk)
    desk.cancel()
    task = desk.tasks[task.id]

    desk.died(task)

    (completed,) = desk.data_of("tool.completed")
    assert "not known" in str(completed["error"])
    assert "turn.cancelled" in desk.types


def test_a_cancel_beside_a_failure_that_would_be_tried_again_waits_for_nobody() -> None:
    desk = Desk()
    desk.say("hello")
    (task,) = desk.tasks.values()
    command = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)

    desk.do_all(desk.answered(failed("transient"), task), intents.Cancelled(command=command))

    assert desk.last is not None
    (close,) = desk.last.closes
    assert (close.closing, close.delay_ms) == (Closing.CANCELLED, None)
    assert close.result_hash, "the worker is told that its result came"
    assert (desk.types[-1], desk.tasks) == ("session.idled", {})


def test_close_ends_the_turn_and_refuses_what_comes() -> None:
    desk = Desk()
    desk.say("x")
    command = commands.Close(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)

    desk.do(intents.SessionClosed(command=command))

    assert desk.types[-2:] == ["turn.cancelled", "session.idled"]
    assert desk.head.closed
    with pytest.raises(NotFound):
        desk.say("y")


def test_foreign_organization_finds_no_session() -> None:
    desk = Desk()
    command = commands.Cancel(org_id=desk.ids.uuid7(), session_id=desk.session_id)

    with pytest.raises(NotFound):
        desk.do_as(command.org_id, intents.Cancelled(command=command))


def test_a_cancel_of_another_turn_leaves_the_one_at_work_alone() -> None:
    desk = Desk()
    desk.say("x")
    running = desk.turn_id

    def cancel(turn_id: UUID) -> object:
        command = commands.Cancel(
            org_id=DEFAULT_ORG_ID, session_id=desk.session_id, turn_id=turn_id
        )
        return desk.do(intents.Cancelled(command=command))

    assert cancel(desk.ids.uuid7()) == commands.CancelReceipt(status="no_op")
    assert cancel(running) == commands.CancelReceipt(status="cancelled", turn_id=running)


def test_timer_that_one_flight_arms_and_disarms_is_never_written() -> None:
    desk = Desk()
    desk.say("long")
    (task,) = desk.tasks.values()
    cancel = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)

    desk.do_all(intents.Cancelled(command=cancel), desk.answered(failed("cancelled"), task))

    assert desk.last is not None
    assert desk.last.timers == ()
    assert desk.last.dropped_timers == ()
    assert "turn.cancelled" in desk.types
