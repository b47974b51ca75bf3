"""What an engine keeps of the waits of code: those that the code stands at."""

import msgspec

from mainspring_schema.workflows import Wait
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
