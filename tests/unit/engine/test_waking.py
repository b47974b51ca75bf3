"""The end of a background call wakes its session, once, and interrupts nothing."""

from typing import cast

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.turn.delivery import WAKING
from mainspring_engine.domain.turn.state import Phase
from mainspring_engine.domain.workflow.children import ENDED
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.commands import own_key
from mainspring_schema.frames import Verdict
from mainspring_schema.lineage import BY_PARENT
from mainspring_schema.tasks import ReasonResult, ToolCall
from tests.unit.engine.family import Relative

Json = dict[str, object]
TASK = "task_1 (build)"


def started(*, seed: int = 8, parent: Relative | None = None) -> tuple[Relative, Relative]:
    """A parent at work whose call is still open, and a child that it has started."""
    if parent is None:
        parent = Relative()
        parent.spawn()
    child = Relative(seed=seed)
    child.told(parent, wakes=TASK)
    assert parent.hears(child) == [Verdict.COMMITTED]
    return parent, child


def rested(parent: Relative) -> None:
    """The call has returned, and the turn is over."""
    (call,) = parent.tasks.values()
    parent.tool_done(call, "running")
    parent.reply("It is under way.")


def told(desk: Relative) -> list[str]:
    """What the session was told by nobody."""
    messages = [cast("Json", data["message"]) for data in desk.data_of("input.message")]
    return [
        str(cast("list[Json]", message["content"])[0]["text"])
        for message in messages
        if message.get("metadata") == WAKING
    ]


def test_the_end_of_a_background_call_begins_a_turn_of_a_session_at_rest() -> None:
    parent, child = started()
    rested(parent)
    before = parent.turn_id

    child.reply("Built.")
    parent.hears(child)

    assert told(parent) == [
        f"The background task {TASK} has succeeded. get_task brings its result."
    ]
    assert parent.turn_id != before
    assert parent.state.phase is Phase.REASON
    assert parent.view.inbox == ()
    assert parent.links == []


def test_a_signal_that_comes_again_wakes_nobody() -> None:
    parent, child = started()
    rested(parent)
    child.reply("Built.")
    parent.hears(child)
    before = parent.turn_id

    again = parent.do(parent.news(child.turn_id, ENDED))

    assert (again, parent.turn_id, len(told(parent))) == (Verdict.STALE, before, 1)


def test_no_key_of_a_client_stands_for_what_the_house_says() -> None:
    parent, child = started()
    rested(parent)
    child.reply("Built.")

    parent.hears(child)

    assert parent.last is not None
    (key,) = [accept.idempotency_key for accept in parent.last.accepts]
    assert key == own_key(f"ended:{child.turn_id.hex}")


def test_ends_that_come_while_a_turn_is_at_work_begin_one_turn_after_it() -> None:
    parent, first = started()
    _, second = started(seed=9, parent=parent)
    before = parent.turn_id

    first.reply("Built.")
    second.cancel()
    second.answer(ReasonResult(text="half"))
    parent.hears(first)
    parent.hears(second)

    assert parent.turn_id == before
    rested(parent)
    assert parent.turn_id != before
    assert ["has succeeded" in one for one in told(parent)] == [True, False]
    assert parent.view.inbox == ()


def test_an_approval_that_waits_is_not_called_off_by_an_end() -> None:
    parent, child = started()
    (call,) = parent.tasks.values()
    parent.tool_done(call, "running")
    id_ = f"call_{parent.turn_id.hex[:20]}_2_0"
    asked = ToolCall(id=id_, name="pay", arguments={}, appeal="approval", expires_s=60)
    parent.answer(ReasonResult(tool_calls=(asked,)))

    child.reply("Built.")
    parent.hears(child)

    assert parent.state.phase is Phase.CLIENT
    assert "approval.resolved" not in parent.types
    assert len(parent.view.inbox) == 1


def test_a_call_that_waits_for_the_task_hears_of_its_end_instead() -> None:
    parent, child = started()
    (call,) = parent.tasks.values()
    parent.gives_back(call, child.turn_id)

    child.reply("Built.")
    parent.hears(child)

    assert told(parent) == []
    assert parent.state.joins == ()


def test_who_has_cancelled_its_task_is_not_told_that_it_ended() -> None:
    parent, child = started()
    rested(parent)
    command = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=child.session_id, reason=BY_PARENT)
    child.do(intents.Cancelled(command=command))
    child.answer(ReasonResult(text="half"))

    parent.hears(child)

    assert (told(parent), parent.links) == ([], [])


def test_a_cancelled_session_is_not_woken_by_what_ends_with_it() -> None:
    parent, child = started()
    rested(parent)
    parent.cancel()

    child.hears(parent)
    child.answer(ReasonResult(text="half"))
    parent.hears(child)

    assert told(parent) == []
    assert parent.view.workflow is not None
    assert parent.view.workflow.outcome is Outcome.COMPLETED
