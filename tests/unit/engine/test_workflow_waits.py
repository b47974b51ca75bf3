"""What an engine keeps of the waits of code: those that the code stands at."""

import msgspec

from mainspring_engine.domain.limits import WORKFLOW_IDLE_GOES_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Wait, prefix_of
from tests.unit.engine.program import Desk

PAID = Wait(step="1", name="paid", kind="signal", delay_ms=60_000)
NIGHT = Wait(step="2", name="sleep", kind="sleep", delay_ms=1000)


def test_a_signal_is_for_who_waits_now_and_not_for_a_wait_that_the_code_has_left(
    held: Desk,
) -> None:
    held.emits(waits=(PAID, NIGHT))
    later = msgspec.structs.replace(PAID, step="3")

    held.suspends(later)
    held.signal("paid")

    assert held.records["3"].result == b"1"
    assert "1" not in held.records
    assert held.waits == {}


def test_the_time_of_who_takes_a_place_over_begins_anew(held: Desk) -> None:
    held.emits(waits=(PAID,))
    old = held.waits["1"].timer_id

    held.suspends(msgspec.structs.replace(PAID, turn=1))
    new = held.waits["1"].timer_id
    held.due(old)

    assert new != old
    assert "1" not in held.records
    held.due(new)
    assert (held.records["1"].attempts, held.records["1"].flaw is not None) == (2, True)


def test_a_wait_that_is_told_again_keeps_its_time(held: Desk) -> None:
    held.emits(waits=(PAID,))
    before = held.waits["1"]

    held.suspends(msgspec.structs.replace(PAID, armed=True))

    assert held.waits == {"1": before}


def test_of_several_that_wait_for_a_signal_the_first_in_the_code_has_the_first(held: Desk) -> None:
    held.suspends(*(msgspec.structs.replace(PAID, step=f"{n}/1") for n in (10, 2)))

    held.signal("paid", b"1")
    held.signal("paid", b"2")

    assert (held.records["2/1"].result, held.records["10/1"].result) == (b"1", b"2")


def starts_over(desk: Desk, *waits: Wait) -> None:
    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]", waits=waits))


def test_signals_that_the_code_never_took_lie_before_its_next_generation_in_their_order(
    held: Desk,
) -> None:
    first, second, third, gone = (msgspec.structs.replace(PAID, step=str(n)) for n in (1, 2, 3, 4))
    held.emits(waits=(second, gone))
    held.signal("paid", b'"Ada"')
    held.emits(waits=(first, third))
    held.signal("paid", b'"Bob"')
    held.due(held.waits["4"].timer_id)

    starts_over(held, first, second, third, gone)

    carried = {place: one.result for place, one in held.records.items() if place.startswith("a1~0")}
    assert carried == {"a1~0": b"[2]", "a1~0/1": b'"Ada"', "a1~0/2": b'"Bob"'}
    assert (held.waits, held.state.found) == ({}, 2)


def test_what_is_carried_from_one_generation_to_the_next_is_no_progress(held: Desk) -> None:
    held.emits(waits=(PAID,))
    held.signal("paid")
    starts_over(held, PAID)
    for generation in range(1, WORKFLOW_IDLE_GOES_MAX):
        held.claimed()
        starts_over(held, msgspec.structs.replace(PAID, step=f"{prefix_of(generation)}0/1"))

    assert held.view.workflow is not None
    assert held.view.workflow.outcome is Outcome.FAILED
