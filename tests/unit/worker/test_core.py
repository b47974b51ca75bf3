"""What a worker holds: leases, fences, answers, credits, streams."""

from hashlib import sha256

from mainspring_schema.frames import Acknowledgement, Attached, Held, ToWorker, Verdict
from mainspring_schema.tasks import EmitEvent
from mainspring_workstream.actions import (
    Begin,
    Cancel,
    EmitAnswered,
    Leave,
    Refused,
    StartAnswered,
    Stop,
)
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.limits import LEASE_MARGIN_S
from tests.unit.worker.making import LEASE_MS, attached_core, held, identity, task

LEASE_S = LEASE_MS / 1000


def give(core: WorkerCore, *tasks: Held, now: float = 0.0) -> list[object]:
    frame = ToWorker(tasks=tuple(task(one) for one in tasks))
    return list(core.receive(frame, now))


def reattach(core: WorkerCore, *, lost: tuple[Held, ...] = (), now: float = 1.0) -> None:
    core.open_stream(now)
    core.receive(ToWorker(attached=Attached(lease_ms=LEASE_MS, lost=lost)), now)


def ack(of: Held, verdict: Verdict = Verdict.COMMITTED, counter: int = 0) -> Acknowledgement:
    return Acknowledgement(held=of, verdict=verdict, counter=counter)


# ── streams ─────────────────────────────────────────────────────────────────────────────────────


def test_attach_offers_all_free_slots_and_lists_what_is_held() -> None:
    core = attached_core(slots=4)
    give(core, held(1))

    first = core.open_stream(1.0)

    assert first.attach is not None
    assert first.attach.held == (held(1),)
    assert first.credits == 3


def test_a_slot_that_was_borrowed_of_a_full_worker_is_no_free_slot_of_its_next_stream() -> None:
    core = attached_core(slots=1)
    give(core, held(1), held(2))

    reattach(core)
    core.finish(held(1), b"one")
    none = core.take(2.0)
    core.finish(held(2), b"two")
    one = core.take(2.0)

    assert none is not None
    assert one is not None
    assert (none.credits, one.credits) == (0, 1)


def test_attach_numbers_rise() -> None:
    core = WorkerCore(identity())

    attaches = [core.open_stream(0.0).attach for _ in range(3)]

    assert [attach and attach.attach_number for attach in attaches] == [1, 2, 3]


def test_nothing_is_sent_before_the_attach_is_answered() -> None:
    core = attached_core()
    give(core, held(1))
    core.finish(held(1), b"done")

    core.open_stream(1.0)

    assert core.take(1.0) is None


def test_silence_for_a_lease_after_a_beat_means_a_dead_stream() -> None:
    core = attached_core()
    give(core, held(1))
    core.beat(0)
    core.take(5.0)

    assert not core.deaf(5.0 + LEASE_S)
    assert core.deaf(5.1 + LEASE_S)
    core.receive(ToWorker(renewed=(held(1),)), 16.0)
    assert not core.deaf(16.0)


def test_leaving_engine_is_left() -> None:
    core = attached_core()

    actions = core.receive(ToWorker(leaving=True), 0.0)

    assert actions == [Leave()]


# ── results ─────────────────────────────────────────────────────────────────────────────────────


def test_result_travels_with_its_hash_and_the_freed_credit() -> None:
    core = attached_core()
    give(core, held(1))
    core.finish(held(1), b"done")

    frame = core.take(0.0)

    assert frame is not None
    assert frame.credits == 1
    assert [(r.held, r.body, r.hash) for r in frame.results] == [
        (held(1), b"done", sha256(b"done").digest())
    ]


def test_unanswered_result_is_held_and_sent_again_unchanged_after_a_reattach() -> None:
    core = attached_core()
    give(core, held(1))
    core.finish(held(1), b"done")
    before = core.take(0.0)

    reattach(core)
    again = core.take(1.0)

    assert before is not None
    assert again is not None
    assert core.held == (held(1),)
    assert again.results == before.results
    assert again.credits == 0


def test_every_verdict_ends_a_result() -> None:
    for verdict in (Verdict.COMMITTED, Verdict.DUPLICATE, Verdict.STALE, Verdict.INVALID):
        core = attached_core()
        give(core, held(1))
        core.finish(held(1), b"done")
        core.take(0.0)

        actions = core.receive(ToWorker(results=(ack(held(1), verdict),)), 0.0)

        assert actions == ([Refused(held(1))] if verdict is Verdict.INVALID else [])
        assert core.held == ()


# ── fences and losses ───────────────────────────────────────────────────────────────────────────


def test_lost_task_is_stopped_and_its_result_is_void() -> None:
    core = attached_core()
    give(core, held(1))

    actions = core.receive(ToWorker(lost=(held(1),)), 0.0)

    assert actions == [Stop(held(1))]
    assert core.held == ()
    assert not core.finish(held(1), b"late")
    frame = core.take(0.0)
    assert frame is not None
    assert frame.results == ()
    assert frame.credits == 1


def test_slot_of_a_lost_task_stays_taken_until_its_handler_ends() -> None:
    core = attached_core(slots=1)
    give(core, held(1))
    core.receive(ToWorker(lost=(held(1),)), 0.0)

    assert core.take(0.0) is None
    core.release(held(1))

    frame = core.take(0.0)
    assert frame is not None
    assert frame.credits == 1


def test_buffered_result_is_dropped_when_the_attach_says_lost() -> None:
    core = attached_core()
    give(core, held(1), held(2))
    core.finish(held(1), b"one")
    core.finish(held(2), b"two")

    reattach(core, lost=(held(1),))

    frame = core.take(1.0)
    assert frame is not None
    assert [r.held for r in frame.results] == [held(2)]


def test_task_held_already_gives_its_credit_back() -> None:
    core = attached_core()
    give(core, held(1, fence=2))

    actions = give(core, held(1, fence=2)) + give(core, held(1, fence=1))

    assert actions == []
    frame = core.take(0.0)
    assert frame is not None
    assert frame.credits == 2


def test_higher_fence_of_the_same_task_stops_the_lower_one() -> None:
    core = attached_core()
    give(core, held(1, fence=1))

    actions = give(core, held(1, fence=2))

    assert actions[0] == Stop(held(1, fence=1))
    assert isinstance(actions[1], Begin)
    assert core.held == (held(1, fence=2),)


def test_cancel_reaches_a_running_task_only() -> None:
    core = attached_core()
    give(core, held(1), held(2))
    core.finish(held(2), b"done")

    actions = core.receive(ToWorker(cancelled=(held(1), held(2), held(3))), 0.0)

    assert actions == [Cancel(held(1))]


# ── leases ──────────────────────────────────────────────────────────────────────────────────────


def test_no_effect_may_start_after_the_local_lease_end() -> None:
    core = attached_core()
    give(core, held(1), now=0.0)
    end = LEASE_S - LEASE_MARGIN_S

    assert core.leased(held(1), end - 0.1)
    assert not core.leased(held(1), end)
    assert core.running == (held(1),)


def test_renewal_counts_from_when_the_beat_left() -> None:
    core = attached_core()
    give(core, held(1), now=0.0)
    core.beat(0)
    core.take(4.0)

    core.receive(ToWorker(renewed=(held(1),)), 9.0)

    end = 4.0 + LEASE_S - LEASE_MARGIN_S
    assert core.leased(held(1), end - 0.1)
    assert not core.leased(held(1), end)


def test_late_answer_counts_from_the_oldest_unanswered_beat() -> None:
    core = attached_core()
    give(core, held(1), now=0.0)
    for at in (4.0, 7.0):
        core.beat(0)
        core.take(at)

    core.receive(ToWorker(renewed=(held(1),)), 7.1)

    assert not core.leased(held(1), 4.0 + LEASE_S - LEASE_MARGIN_S)


def test_attach_renews_what_it_lists() -> None:
    core = attached_core()
    give(core, held(1), now=0.0)

    reattach(core, now=8.0)

    assert core.leased(held(1), 8.0 + LEASE_S - LEASE_MARGIN_S - 0.1)


def test_beat_names_running_and_finished_tasks() -> None:
    core = attached_core()
    give(core, held(1), held(2), held(3))
    core.finish(held(2), b"done")
    core.receive(ToWorker(lost=(held(3),)), 0.0)
    core.beat(7)

    frame = core.take(0.0)

    assert frame is not None
    assert frame.beat is not None
    assert frame.beat.held == (held(1), held(2))
    assert frame.beat.loop_lag_ms == 7


# ── starts, emits, configurations ───────────────────────────────────────────────────────────────


def test_start_is_granted_by_commit_or_repeat_only() -> None:
    for verdict, granted in (
        (Verdict.COMMITTED, True),
        (Verdict.DUPLICATE, True),
        (Verdict.STALE, False),
        (Verdict.INVALID, False),
    ):
        core = attached_core()
        give(core, held(1))
        assert core.start(held(1))
        core.take(0.0)

        actions = core.receive(ToWorker(starts=(ack(held(1), verdict),)), 0.0)

        assert actions == [StartAnswered(held(1), granted)]


def test_unanswered_start_and_emit_are_sent_again_after_a_reattach() -> None:
    core = attached_core()
    give(core, held(1))
    core.start(held(1))
    core.emit(held(1), (EmitEvent(type="tool.progress", data={}),))
    before = core.take(0.0)

    reattach(core)
    again = core.take(1.0)

    assert before is not None
    assert again is not None
    assert again.starts == before.starts == (held(1),)
    assert again.emits == before.emits


def test_emit_counters_rise_and_answers_find_theirs() -> None:
    core = attached_core()
    give(core, held(1))
    counters = [core.emit(held(1), ()) for _ in range(2)]

    answer = ToWorker(emits=(ack(held(1), counter=2), ack(held(1), counter=2)))
    actions = core.receive(answer, 0.0)

    assert counters == [1, 2]
    assert actions == [EmitAnswered(held(1), 2, granted=True)]


def test_lost_task_may_neither_start_nor_emit() -> None:
    core = attached_core()
    give(core, held(1))
    core.receive(ToWorker(lost=(held(1),)), 0.0)

    assert not core.start(held(1))
    assert core.emit(held(1), ()) is None


def test_configuration_is_asked_for_once_and_again_after_a_reattach() -> None:
    core = attached_core()
    core.want_config(b"h" * 32)
    core.want_config(b"h" * 32)
    first = core.take(0.0)

    reattach(core)
    again = core.take(1.0)

    assert first is not None
    assert again is not None
    assert first.configs_wanted == again.configs_wanted == (b"h" * 32,)


# ── draining ────────────────────────────────────────────────────────────────────────────────────


def test_draining_is_told_and_new_tasks_are_returned() -> None:
    core = attached_core()
    core.drain()
    told = core.take(0.0)

    actions = give(core, held(1))
    frame = core.take(0.0)

    assert told is not None
    assert told.draining
    assert actions == []
    assert frame is not None
    assert frame.returned == (held(1),)
    assert frame.credits == 0
    assert not core.busy


def test_task_handed_back_is_not_listed_any_more() -> None:
    core = attached_core()
    give(core, held(1))

    core.hand_back(held(1))

    frame = core.take(0.0)
    assert frame is not None
    assert frame.returned == (held(1),)
    assert frame.credits == 1
    assert core.held == ()
