"""What becomes of a slot by what its target answers."""

from uuid import UUID

from mainspring_kernel.errors import NotFound, TooManyRequests, Unavailable
from mainspring_scheduler.domain import limits, planning
from mainspring_scheduler.domain import slots as slot_rules
from mainspring_scheduler.domain.slots import Started
from tests.unit.scheduler.rows import MINUTE, NOW, SCHEDULE, SESSION, ids, schedule, slot

BEGUN = slot_rules.starting(
    slot(1, "waiting", slot_ms=NOW), slot_rules.Begins(session_id=SESSION, message_id=UUID(int=9))
)


def test_a_started_slot_is_running() -> None:
    running = slot_rules.running(BEGUN, Started(turn_id=UUID(int=8)), now_ms=NOW + 40)

    assert (running.status, running.turn_id, running.started_ms) == (
        "running",
        UUID(int=8),
        NOW + 40,
    )


def test_a_target_that_is_away_is_asked_again_under_the_same_ids() -> None:
    put_off = slot_rules.refused(BEGUN, Unavailable("away"), now_ms=NOW, draw=0.5)
    later = planning.decide(
        schedule(next_ms=NOW + MINUTE), [put_off], {}, now_ms=NOW + MINUTE - 1, ids=ids()
    )

    assert (put_off.status, put_off.code, put_off.ended_ms) == ("starting", "unavailable", None)
    assert put_off.due_ms is not None
    assert NOW < put_off.due_ms <= NOW + 2000
    assert [(one.message_id, one.attempts) for one in later.starts] == [(BEGUN.message_id, 2)]


def test_a_told_wait_is_obeyed() -> None:
    put_off = slot_rules.refused(
        BEGUN, TooManyRequests("full", retry_after_s=30.0), now_ms=NOW, draw=0.0
    )

    assert put_off.due_ms == NOW + 30_000


def test_a_lasting_refusal_fails_the_slot_and_says_why() -> None:
    failed = slot_rules.refused(BEGUN, NotFound("no such session"), now_ms=NOW + 5, draw=0.5)

    assert (failed.status, failed.code, failed.detail, failed.ended_ms) == (
        "failed",
        "not_found",
        "no such session",
        NOW + 5,
    )


def test_a_target_that_stays_away_is_given_up_at_last() -> None:
    late_ms = NOW + limits.SLOT_GIVE_UP_MS + 1

    assert slot_rules.refused(BEGUN, Unavailable(), now_ms=late_ms, draw=0.5).status == "failed"


def test_keys_of_targets_tell_times_and_hands_apart() -> None:
    by_time, by_hand = slot(1, slot_ms=NOW), slot(2, slot_ms=NOW, origin="hand")

    assert slot_rules.slot_key(by_time) == f"schedule:{SCHEDULE.hex}:{NOW}"
    assert slot_rules.slot_key(by_hand) == f"schedule:{SCHEDULE.hex}:hand:{by_hand.id.hex}"
