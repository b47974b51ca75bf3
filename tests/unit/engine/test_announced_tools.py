"""Calls of tools that workers have announced, decision by decision."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.limits import TOOLSET_WAIT_S
from mainspring_engine.domain.rows import Closing, OpenTask, TaskKind, TaskState
from mainspring_engine.domain.turn.state import Phase
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.agents import EffectClass
from mainspring_schema.appeals import AnswerAppeals, Ruling
from mainspring_schema.frames import Verdict
from mainspring_schema.messages import ImagePart
from mainspring_schema.tasks import ReasonResult, ToolCall, ToolResult, ToolTask
from mainspring_schema.toolsets import READING
from tests.unit.engine.desk import Desk

APPROVAL_S = 900


def call_of(
    desk: Desk, index: int = 0, *, effect: EffectClass = "idempotent", probed: bool = False
) -> ToolCall:
    return ToolCall(
        id=f"call_{desk.turn_id.hex[:20]}_{desk.state.iteration}_{index}",
        name="refund",
        arguments={"n": index},
        effect_class=effect,
        capability_id="toolset:shop",
        probed=probed,
    )


def asked(*, count: int = 1, effect: EffectClass = "idempotent", probed: bool = False) -> Desk:
    """A turn whose model calls a worker's tool so many times."""
    desk = Desk()
    desk.say("refund")
    calls = tuple(call_of(desk, n, effect=effect, probed=probed) for n in range(count))
    desk.answer(ReasonResult(tool_calls=calls))
    return desk


def tools(desk: Desk) -> list[OpenTask]:
    return desk.open(TaskKind.TOOL)


def unclaimed(desk: Desk) -> OpenTask:
    (task,) = tools(desk)
    return desk.change_task(task, state=TaskState.READY, fence=0)


def time_is_up(desk: Desk, after_s: float = TOOLSET_WAIT_S) -> object:
    assert desk.state.timer_id is not None
    desk.clock.advance(after_s)
    return desk.do(
        intents.TimerDue(
            session_id=desk.session_id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=desk.turn_id,
            timer_id=desk.state.timer_id,
            kind="appeal",
        )
    )


def payloads(desk: Desk) -> list[ToolTask]:
    assert desk.last is not None
    return [msgspec.msgpack.decode(task.payload, type=ToolTask) for task in desk.last.tasks]


# ── on their way ────────────────────────────────────────────────────────────────────────────────


def test_a_call_goes_to_workers_that_have_that_very_tool() -> None:
    desk = asked()

    assert desk.last is not None
    (task,) = desk.last.tasks
    assert task.route.capability == "toolset:shop/refund"
    assert payloads(desk)[0].idempotency_key == f"{desk.turn_id.hex}:{call_of(desk).id}"


def test_a_call_that_is_made_in_time_leaves_no_timer() -> None:
    desk = asked()
    assert desk.state.timer_id is not None

    desk.tool_done()

    assert (desk.state.phase, desk.state.timer_id) == (Phase.REASON, None)


def test_images_of_a_result_stand_behind_its_text() -> None:
    desk = asked()
    image = ImagePart(base64="iVBORw0KGgo=", media_type="image/png")

    desk.answer(ToolResult(status="success", result="drawn", images=(image,)))

    (told,) = desk.data_of("tool.completed")
    assert told["result"] == [
        {"type": "text", "text": "drawn"},
        {"type": "image", "base64": "iVBORw0KGgo=", "media_type": "image/png"},
    ]


# ── nobody comes ────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_no_worker_takes_ends_and_the_model_goes_on() -> None:
    desk = asked()
    unclaimed(desk)

    assert time_is_up(desk) is Verdict.COMMITTED

    (told,) = desk.data_of("tool.completed")
    assert told["status"] == "timeout"
    assert told["error"] == ("no worker that has the tool came within 300 s; it was not called")
    assert desk.last is not None
    (closed,) = desk.last.closes
    assert closed.closing is Closing.CANCELLED
    assert (desk.state.phase, desk.state.timer_id) == (Phase.REASON, None)
    assert tools(desk) == []


@pytest.mark.parametrize(
    ("effect", "told"), [("pure", "may have been called"), ("at_most_once", "was not called")]
)
def test_of_a_call_that_a_lost_worker_had_nobody_says_more_than_is_known(
    effect: EffectClass, told: str
) -> None:
    desk = asked(effect=effect)
    (task,) = tools(desk)
    desk.change_task(task, state=TaskState.READY, fence=1)

    time_is_up(desk)

    (result,) = desk.data_of("tool.completed")
    assert result["status"] == "timeout"
    assert told in str(result["error"])


def test_a_call_that_a_worker_has_is_looked_at_again() -> None:
    desk = asked()
    first = desk.state.timer_id

    time_is_up(desk)

    assert desk.data_of("tool.completed") == []
    assert desk.state.timer_id not in (None, first)
    unclaimed(desk)
    time_is_up(desk)
    assert len(desk.data_of("tool.completed")) == 1


def test_of_two_calls_the_one_that_nobody_takes_ends_alone() -> None:
    desk = asked(count=2)
    taken, waiting = tools(desk)
    desk.change_task(waiting, state=TaskState.READY)

    time_is_up(desk)

    assert [task.id for task in tools(desk)] == [taken.id]
    desk.tool_done(taken)
    assert [told["status"] for told in desk.data_of("tool.completed")] == ["timeout", "success"]
    assert desk.state.timer_id is None


def test_a_started_call_that_no_worker_comes_to_ask_about_ends_unknown() -> None:
    desk = asked(effect="verifiable", probed=True)
    (task,) = tools(desk)
    started = desk.change_task(task, started=True)
    desk.died(started)
    desk.change_task(desk.tasks[started.id], state=TaskState.READY)

    time_is_up(desk)

    (told,) = desk.data_of("tool.completed")
    assert "whether it took effect is not known" in str(told["error"])
    assert desk.last is not None
    assert [close.closing for close in desk.last.closes] == [Closing.UNKNOWN]


def test_a_call_that_people_allow_waits_from_then_on() -> None:
    desk = Desk()
    desk.say("refund")
    held = msgspec.structs.replace(call_of(desk), appeal="approval", expires_s=APPROVAL_S)
    desk.answer(ReasonResult(tool_calls=(held,)))
    desk.clock.advance(APPROVAL_S - 1)
    ruling = Ruling(tool_call_id=held.id, decision="allow")
    desk.do(
        intents.AppealsAnswered(
            command=AnswerAppeals(
                org_id=DEFAULT_ORG_ID, session_id=desk.session_id, rulings=(ruling,), replies=()
            )
        )
    )
    unclaimed(desk)

    time_is_up(desk, TOOLSET_WAIT_S - 1)
    assert desk.data_of("tool.completed") == []
    time_is_up(desk, 1)

    assert len(desk.data_of("tool.completed")) == 1


def test_a_cancel_ends_a_call_that_nobody_has_taken() -> None:
    desk = asked()
    unclaimed(desk)

    desk.cancel()

    assert "turn.cancelled" in desk.types
    assert desk.state.timer_id is None


# ── what a worker of the house reads first ──────────────────────────────────────────────────────

UNREAD = ToolResult(status="success", result="a long text", unread=True)


def test_an_unread_outcome_is_kept_and_read_by_another_task() -> None:
    desk = asked(effect="at_most_once")
    desk.answer(UNREAD)

    assert desk.data_of("tool.completed") == []
    (reading,) = tools(desk)
    assert desk.steps[reading.id] == "tool:1:0:read"
    assert desk.last is not None
    (task,) = desk.last.tasks
    assert task.route.capability == READING
    assert payloads(desk)[0].brought == UNREAD
    assert [result.step for result in desk.last.results] == ["tool:1:0"]
    assert desk.state.timer_id is None

    desk.tool_done(result="a part of it")

    (told,) = desk.data_of("tool.completed")
    assert "a part of it" in str(told["result"])
    assert desk.state.phase is Phase.REASON


@pytest.mark.parametrize("while_read", [True, False])
def test_a_cancelled_turn_shows_nothing_that_was_not_read(*, while_read: bool) -> None:
    desk = asked(effect="at_most_once")
    if while_read:
        desk.answer(UNREAD)
        (task,) = tools(desk)
        desk.change_task(task, state=TaskState.READY)
        desk.cancel()
    else:
        desk.cancel()
        desk.answer(UNREAD)

    (told,) = desk.data_of("tool.completed")
    assert "the call was made, its output was not read" in str(told["error"])
    assert "long text" not in str(told)
    assert "turn.cancelled" in desk.types
