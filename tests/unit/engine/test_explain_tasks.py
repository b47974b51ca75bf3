"""Why an open task does not move: one rule at a time."""

import msgspec
import pytest

from mainspring_engine.domain.circuit import Circuit, CircuitState
from mainspring_engine.domain.explain.snapshot import TaskFacts, route_of
from mainspring_engine.domain.limit import KeyLimit
from mainspring_engine.domain.samples import SeatSample
from tests.unit.engine.explained import (
    DELAYED,
    NOW,
    SEAT,
    failed,
    leased,
    only,
    ready,
    snapshot,
    told,
)

# ── ready ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("facts", "seats", "code", "said"),
    [
        (ready(), (), "no_worker", "queue default; none is attached"),
        (ready(capability="maths"), (SEAT,), "no_worker", "capability maths"),
        (ready(build="b9"), (SEAT,), "version", "build b9; attached are b1"),
        (
            ready(build="b9"),
            (msgspec.structs.replace(SEAT, build=""),),
            "version",
            "attached are (no build)",
        ),
        (
            ready(),
            (msgspec.structs.replace(SEAT, active=0, silent=2, slots=0, held=0),),
            "workers_silent",
            "the 2 workers",
        ),
        (
            ready(),
            (msgspec.structs.replace(SEAT, active=0, draining=1, slots=0, held=0),),
            "workers_draining",
            "is draining",
        ),
        (ready(due_ms=NOW - 60_000), (SEAT,), "dispatch_late", "although 3 slots are free"),
    ],
)
def test_a_ready_task_waits_for_somebody_who_can_take_it(
    facts: TaskFacts, seats: tuple[SeatSample, ...], code: str, said: str
) -> None:
    found = told(snapshot(facts, seats=seats))

    assert [reason.code for reason in found.reasons] == [code]
    assert said in found.summary
    assert found.reasons[0].advice
    assert not found.moving


def test_a_task_that_just_became_ready_is_about_to_go() -> None:
    found = told(snapshot(ready()))

    assert [reason.code for reason in found.reasons] == ["dispatch"]
    assert found.moving


def test_an_open_circuit_counts_before_everything_else() -> None:
    circuit = Circuit(
        key="p/m", state=CircuitState.OPEN, reason="provider_overloaded", wait_ms=9000,
        opened_ms=NOW - 1000,
    )  # fmt: skip

    reason = only(snapshot(ready(), seats=(), circuits=(circuit,)))

    assert reason.code == "circuit"
    assert "p:m is open after failures (provider_overloaded)" in reason.text
    assert (reason.since_ms, reason.until_ms) == (NOW - 1000, NOW + 9000)
    assert reason.moving, "it is probed by itself"


def test_a_circuit_that_an_operator_holds_open_says_so() -> None:
    circuit = Circuit(key="p/m", state=CircuitState.OPEN, forced=True, reason="maintenance")

    reason = only(snapshot(ready(), circuits=(circuit,)))

    assert "held open by an operator (maintenance)" in reason.text
    assert (reason.until_ms, reason.moving) == (None, False)


def test_a_task_whose_workers_are_all_at_work_goes_on_by_itself() -> None:
    found = told(snapshot(ready(), seats=(msgspec.structs.replace(SEAT, held=4),)))

    assert [reason.code for reason in found.reasons] == ["no_credit"]
    assert "all 4 of 1 workers are in use, and 7 tasks" in found.summary
    assert found.reasons[0].advice
    assert found.moving


def test_a_task_without_a_slot_is_told_when_its_turn_should_come() -> None:
    facts, busy = ready(), (msgspec.structs.replace(SEAT, held=4),)
    seen = msgspec.structs.replace(snapshot(facts, seats=busy), holds_s={route_of(facts.task): 3.0})

    assert "its turn should come in about 6.0 s" in told(seen).summary  # 8 x 3 s / 4 slots
    assert "its turn" not in told(snapshot(facts, seats=busy)).summary


# ── leased ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("facts", "code", "said"),
    [
        (leased(), "at_work", "at worker w1 (worker_00000000000000000000000000000004), attempt 2"),
        (leased(acknowledged=False), "delivering", "has not confirmed it yet"),
        (leased(cancelling=True), "stopping", "was asked to stop"),
        (leased("silent"), "worker_lost", "then another worker gets it"),
        (leased("stopped"), "worker_lost", "its lease ends at 2023-11-14T22:13:26.000Z"),
        (leased(None), "worker_lost", "not heard of lately"),
        (leased(lease_until_ms=NOW - 200), "lease_over", "the next sweep takes it up"),
    ],
)
def test_a_leased_task_tells_who_has_it_until_when(facts: TaskFacts, code: str, said: str) -> None:
    found = told(snapshot(facts))

    assert [reason.code for reason in found.reasons] == [code]
    assert said in found.summary
    assert found.moving


def test_a_lost_effect_that_had_started_is_not_tried_again() -> None:
    facts = leased("silent", started=True, effect="at_most_once", kind="tool", step="tool:1:0")

    assert "its outcome is unknown and it is not tried again" in only(snapshot(facts)).text


@pytest.mark.parametrize("sweeps", [{}, {"leases": 90_000}])
def test_a_lease_that_nobody_takes_up_needs_somebody(sweeps: dict[str, int]) -> None:
    found = told(snapshot(leased(lease_until_ms=NOW - 200), sweeps_ms=sweeps))

    assert [reason.code for reason in found.reasons] == ["sweep_late"]
    assert not found.moving


@pytest.mark.parametrize("closing", ["returned", "undelivered"])
def test_a_task_that_no_worker_kept_says_who_had_it_last(closing: str) -> None:
    last = msgspec.structs.replace(failed(""), closing=closing)
    task = msgspec.structs.replace(DELAYED, uncounted=4)

    reason = only(snapshot(TaskFacts(task=task, last=last)))

    assert (reason.code, reason.moving) == ("not_kept", False)
    assert "given out 4 times and no worker kept it; w1 had it last" in reason.text
    assert reason.until_ms == DELAYED.due_ms


def test_a_suspect_says_that_it_is_tried_alone() -> None:
    task = msgspec.structs.replace(DELAYED, deaths=2, due_ms=NOW - 60_000)

    reason = only(snapshot(TaskFacts(task=task, last=failed(""))))
    before = only(snapshot(TaskFacts(task=msgspec.structs.replace(task, due_ms=NOW + 1000))))

    assert (reason.code, reason.moving) == ("suspect", True)
    assert "lost its worker 2 times, w1 last, and is tried alone" in reason.text
    assert before.code == "retry", "it is not its turn yet"


# ── delayed ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("due_ms", "error", "code", "moving", "said"),
    [
        (
            NOW + 8000,
            "rate_limited",
            "retry",
            True,
            "2 of 6 failed, the last one with rate_limited",
        ),
        (NOW + 8000, "version_conflict", "version", False, "whose code fits what is recorded"),
        (NOW - 60_000, "rate_limited", "sweep_late", False, "nobody made it ready"),
        (NOW + 8000, "joins_child", "waiting", True, "waits for a child session"),
    ],
)
def test_a_delayed_task_tells_until_when_and_why(
    due_ms: int, error: str, code: str, moving: bool, said: str
) -> None:
    task = msgspec.structs.replace(DELAYED, due_ms=due_ms)

    reason = only(snapshot(TaskFacts(task=task, last=failed(error))))

    assert (reason.code, reason.moving) == (code, moving)
    assert said in reason.text
    assert reason.advice


def test_how_often_a_users_step_is_tried_is_not_for_the_engine_to_say() -> None:
    task = msgspec.structs.replace(DELAYED, kind="task", step="task:bill")

    reason = only(snapshot(TaskFacts(task=task, last=failed("step_failed", "no disk"))))

    assert "; 2 failed, the last one with step_failed: no disk" in reason.text
    assert "cancel it" in reason.advice


def test_code_that_differs_may_be_forked_onto_the_new_one() -> None:
    reason = only(snapshot(TaskFacts(task=DELAYED, last=failed("version_conflict"))))

    assert "fork it from the step that differs" in reason.advice


def test_a_limit_of_none_says_that_the_key_was_paused() -> None:
    limit = KeyLimit(key="queue:default", at_once=0, running=1)

    reason = only(snapshot(ready(), limits=(limit,)))

    assert "it lets none run (1 still do)" in reason.text
    assert "raise the limit, or remove it" in reason.advice
    assert not reason.moving


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (KeyLimit(key="queue:default", at_once=2, running=2), "2 of 2 at once are running"),
        (KeyLimit(key="queue:default", rate=6, per_ms=60_000), "6 in 60 s"),
    ],
)
def test_a_limit_that_is_used_up_makes_room_by_itself(limit: KeyLimit, said: str) -> None:
    found = told(snapshot(ready(), limits=(limit,)))

    assert [reason.code for reason in found.reasons] == ["limit"]
    assert said in found.summary
    assert found.moving


def test_a_task_that_waits_for_others_to_end_goes_on_by_itself() -> None:
    reason = only(snapshot(ready(status="waiting")))

    assert (reason.code, reason.moving) == ("waiting", True)
