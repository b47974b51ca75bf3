"""The one decision about a schedule: what its slots become, and when it is looked at again."""

from uuid import UUID

import msgspec
import pytest

from mainspring_scheduler.domain import limits, planning
from mainspring_scheduler.domain import slots as slot_rules
from mainspring_scheduler.domain.planning import Decision
from mainspring_scheduler.domain.slots import Ended, Schedule, Slot
from mainspring_schema.schedules import Once
from tests.unit.scheduler.rows import (
    EVERY_MINUTE,
    MINUTE,
    NEW_SESSION,
    NOW,
    SESSION,
    WORKFLOW,
    ids,
    schedule,
    slot,
)

DONE = Ended(outcome="completed", ended_ms=NOW - 10)


def decide(
    row: Schedule,
    *known: Slot,
    found: dict[UUID, Ended | None] | None = None,
    now_ms: int = NOW,
) -> Decision:
    return planning.decide(row, known, found or {}, now_ms=now_ms, ids=ids())


def statuses(decision: Decision) -> dict[int, str]:
    """Of changed slots, by the time they are for."""
    return {one.slot_ms: one.status for one in decision.slots}


# ── a slot falls due ────────────────────────────────────────────────────────────────────────────


def test_a_due_slot_is_put_down_and_started_and_the_next_one_awaited() -> None:
    decision = decide(schedule())

    (begun,) = decision.starts
    assert (begun.slot_ms, begun.status, begun.attempts) == (NOW, "starting", 1)
    assert decision.fresh == {begun.id}
    assert (decision.last_ms, decision.next_ms) == (NOW, NOW + MINUTE)
    assert decision.due_ms == NOW + MINUTE


def test_a_message_goes_to_its_session_under_an_id_of_its_own() -> None:
    (begun,) = decide(schedule()).starts

    assert begun.session_id == SESSION
    assert begun.message_id is not None


def test_without_a_session_each_slot_gets_one_of_its_own() -> None:
    late = schedule(target=NEW_SESSION, overlap="allow_all", next_ms=NOW - MINUTE)

    first, second = decide(late).starts

    assert first.session_id != second.session_id


def test_a_workflow_gets_its_id_before_it_is_asked_for() -> None:
    (begun,) = decide(schedule(target=WORKFLOW)).starts

    assert begun.workflow_id is not None
    assert (begun.session_id, begun.message_id) == (None, None)


def test_before_its_time_nothing_is_done() -> None:
    early = schedule(next_ms=NOW + 1)

    decision = decide(early)

    assert (decision.slots, decision.next_ms, decision.due_ms) == ((), NOW + 1, NOW + 1)


def test_after_its_one_slot_a_one_shot_is_looked_for_no_more() -> None:
    once = schedule(timing=Once(at="", at_ms=NOW))

    decision = decide(once)

    assert (decision.next_ms, decision.due_ms, len(decision.starts)) == (None, None, 1)


# ── catching up ─────────────────────────────────────────────────────────────────────────────────


def test_slots_within_the_window_are_made_up_for() -> None:
    behind = schedule(overlap="allow_all", next_ms=NOW - 3 * MINUTE)

    decision = decide(behind)

    assert [one.slot_ms for one in decision.starts] == [NOW - k * MINUTE for k in (3, 2, 1, 0)]


def test_slots_before_the_window_are_told_as_one_that_was_missed() -> None:
    behind = schedule(overlap="allow_all", next_ms=NOW - 5 * MINUTE, catch_up_s=90)

    decision = decide(behind)

    missed, *started = decision.slots
    assert (missed.slot_ms, missed.status, missed.code) == (
        NOW - 5 * MINUTE,
        "missed",
        planning.TOO_LATE,
    )
    assert missed.detail == "4 slots came later than 90 s after being due"
    assert missed.ended_ms == NOW
    assert [one.slot_ms for one in started] == [NOW - MINUTE, NOW]


def test_a_long_outage_costs_no_walk_over_every_slot_of_it() -> None:
    year_ms = 365 * 24 * 3600 * 1000
    seconds = schedule(
        timing=msgspec.structs.replace(EVERY_MINUTE, every_ms=1000),
        next_ms=NOW - year_ms,
        catch_up_s=10,
        overlap="allow_all",
    )

    decision = decide(seconds)

    missed = next(one for one in decision.slots if one.status == "missed")
    assert str(missed.detail).startswith("more than 100 slots")
    assert [one.slot_ms for one in decision.starts] == [NOW - k * 1000 for k in range(10, -1, -1)]


def test_a_backlog_is_planned_in_portions_and_looked_at_again_at_once() -> None:
    behind = schedule(overlap="allow_all", next_ms=NOW - 40 * MINUTE)

    decision = decide(behind)

    assert len(decision.starts) == limits.SLOTS_PER_PASS_MAX
    assert decision.due_ms is not None
    assert decision.due_ms <= NOW


# ── overlap ─────────────────────────────────────────────────────────────────────────────────────


def test_skip_lets_a_slot_go_while_an_earlier_one_is_at_work() -> None:
    decision = decide(schedule(overlap="skip"), slot(1), found={slot(1).id: None})

    assert decision.starts == ()
    skipped = next(one for one in decision.slots if one.slot_ms == NOW)
    assert (skipped.status, skipped.code, skipped.ended_ms) == ("skipped", "overlap", NOW)


def test_skip_starts_once_the_earlier_one_has_ended() -> None:
    decision = decide(schedule(overlap="skip"), slot(1), found={slot(1).id: DONE})

    assert statuses(decision) == {NOW - MINUTE: "completed", NOW: "starting"}


def test_skip_starts_one_of_a_backlog() -> None:
    behind = schedule(overlap="skip", next_ms=NOW - 2 * MINUTE)

    assert statuses(decide(behind)) == {
        NOW - 2 * MINUTE: "starting",
        NOW - MINUTE: "skipped",
        NOW: "skipped",
    }


def test_a_slot_that_is_being_started_counts_as_at_work() -> None:
    begun = slot_rules.starting(slot(1, "waiting"), slot_rules.Begins())
    later = msgspec.structs.replace(begun, due_ms=NOW + 5000)

    decision = decide(schedule(overlap="skip"), later)

    assert statuses(decision) == {NOW: "skipped"}


def test_buffer_one_keeps_the_first_and_skips_the_rest() -> None:
    behind = schedule(overlap="buffer_one", next_ms=NOW - MINUTE)
    at_work = slot(1, slot_ms=NOW - 2 * MINUTE)

    decision = decide(behind, at_work, found={at_work.id: None})

    assert statuses(decision) == {
        NOW - 2 * MINUTE: "running",
        NOW - MINUTE: "buffered",
        NOW: "skipped",
    }
    assert decision.due_ms == NOW + limits.SLOT_BUFFERED_LOOK_MS


def test_a_buffered_slot_starts_when_the_earlier_one_has_ended_however_late_that_is() -> None:
    held = schedule(overlap="buffer_one", next_ms=NOW + MINUTE, catch_up_s=10)
    kept = slot(2, "buffered", slot_ms=NOW - 100 * MINUTE)
    at_work = slot(1, slot_ms=NOW - 200 * MINUTE)

    decision = decide(held, at_work, kept, found={at_work.id: DONE})

    assert [one.id for one in decision.starts] == [kept.id]


def test_allow_all_starts_beside_what_is_at_work_up_to_a_bound() -> None:
    crowd = [slot(k) for k in range(limits.SLOTS_OPEN_MAX - 1)]
    behind = schedule(overlap="allow_all", next_ms=NOW - MINUTE)

    decision = decide(behind, *crowd)

    assert statuses(decision) == {NOW - MINUTE: "starting", NOW: "skipped"}
    assert decision.slots[-1].code == planning.TOO_MANY


def test_cancel_other_cancels_and_waits_until_the_other_has_ended() -> None:
    row = schedule(overlap="cancel_other")

    first = decide(row, slot(1), found={slot(1).id: None})
    kept = next(one for one in first.slots if one.slot_ms == NOW)
    after = msgspec.structs.replace(row, next_ms=first.next_ms)
    cancelled = Ended(outcome="cancelled", ended_ms=NOW + 500)
    second = decide(after, slot(1), kept, found={slot(1).id: cancelled}, now_ms=NOW + 1000)

    assert [one.id for one in first.cancels] == [slot(1).id]
    assert (first.starts, kept.status) == ((), "buffered")
    assert [one.id for one in second.starts] == [kept.id]


def test_cancel_other_asks_again_while_the_other_is_at_work() -> None:
    kept = slot(2, "buffered", slot_ms=NOW)
    row = schedule(overlap="cancel_other", next_ms=NOW + MINUTE)

    decision = decide(row, slot(1), kept, found={slot(1).id: None}, now_ms=NOW + 1000)

    assert [one.id for one in decision.cancels] == [slot(1).id]


def test_cancel_other_starts_only_the_newest() -> None:
    behind = schedule(overlap="cancel_other", next_ms=NOW - 2 * MINUTE)

    decision = decide(behind)

    assert [one.slot_ms for one in decision.starts] == [NOW]
    assert list(statuses(decision).values()) == ["skipped", "skipped", "starting"]


# ── paused, deleted ─────────────────────────────────────────────────────────────────────────────


def paused(row: Schedule) -> Schedule:
    return planning.put_down(msgspec.structs.replace(row, paused=True), after_ms=NOW)


def test_a_paused_schedule_has_no_next_slot_and_skips_what_waits() -> None:
    row = paused(schedule(overlap="buffer_one"))
    kept = slot(2, "buffered", slot_ms=NOW)

    decision = decide(row, slot(1), kept, found={slot(1).id: None})

    assert (row.next_ms, row.due_ms) == (None, None)
    skipped = next(one for one in decision.slots if one.id == kept.id)
    assert (skipped.status, skipped.code) == ("skipped", planning.PAUSED)


def test_a_paused_schedule_still_starts_what_a_hand_triggers() -> None:
    by_hand = slot(2, "waiting", slot_ms=NOW, origin="hand")

    decision = decide(paused(schedule()), by_hand)

    assert [one.id for one in decision.starts] == [by_hand.id]


def test_a_resumed_schedule_makes_nothing_up() -> None:
    resumed = planning.put_down(schedule(next_ms=None), after_ms=NOW + 10 * MINUTE + 1)

    assert resumed.next_ms == NOW + 11 * MINUTE


def test_a_slot_never_comes_again_although_the_clock_went_back() -> None:
    had = msgspec.structs.replace(schedule(), last_ms=NOW)

    assert planning.put_down(had, after_ms=NOW - 5 * MINUTE).next_ms == NOW + MINUTE


def test_a_deleted_schedule_begins_nothing_and_follows_what_it_began() -> None:
    gone = msgspec.structs.replace(schedule(), deleted=True, next_ms=None)
    by_hand = slot(2, "waiting", slot_ms=NOW, origin="hand")

    decision = decide(gone, slot(1), by_hand, found={slot(1).id: None})
    after = decide(gone, slot(1), found={slot(1).id: DONE})

    assert decision.starts == ()
    assert next(o for o in decision.slots if o.id == by_hand.id).code == planning.DELETED
    assert decision.due_ms is not None
    assert after.due_ms is None


# ── what is asked about ─────────────────────────────────────────────────────────────────────────


def asked(row: Schedule, *known: Slot, now_ms: int = NOW) -> list[UUID]:
    return [one.id for one in planning.asked_about(row, known, now_ms=now_ms)]


def test_running_slots_are_asked_about_when_their_time_has_come() -> None:
    row, at_work = schedule(next_ms=NOW + MINUTE), slot(1, slot_ms=NOW)

    assert asked(row, at_work, now_ms=NOW + 1999) == []
    assert asked(row, at_work, now_ms=NOW + 2000) == [at_work.id]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (schedule(overlap="skip"), True),
        (schedule(overlap="skip", next_ms=NOW + 1), False),
        # Whatever goes on, it starts: nobody needs to know.
        (schedule(overlap="allow_all"), False),
    ],
)
def test_running_slots_are_asked_about_early_where_a_decision_needs_it(
    row: Schedule, wanted: bool
) -> None:
    at_work = slot(1, slot_ms=NOW)

    assert asked(row, at_work) == ([at_work.id] if wanted else [])


def test_what_takes_longer_is_asked_about_more_rarely() -> None:
    looks = [
        slot_rules.looked_at(slot(1, slot_ms=NOW), None, now_ms=NOW + age).due_ms
        for age in (0, 20_000, 10**8)
    ]

    assert looks == [
        NOW + limits.SLOT_LOOK_MS_MIN,
        NOW + 20_000 + 5000,
        NOW + 10**8 + limits.SLOT_LOOK_MS_MAX,
    ]
