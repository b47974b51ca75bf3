"""A task that is not over soon is named to its engine, so that the death of its worker counts."""

import pytest

from mainspring_kernel.limits import FIRST_BEAT_S
from mainspring_schema.frames import Attached, Held, ToWorker
from mainspring_workstream import work as work_module
from mainspring_workstream.core import WorkerCore
from tests.unit.worker.making import LEASE_MS, attached_core, held, task, tool_payload
from tests.unit.worker.test_work import Gate, gated
from tests.unit.worker.workbench import bench


def give(core: WorkerCore, *tasks: Held, now: float = 0.0) -> None:
    core.receive(ToWorker(tasks=tuple(task(one) for one in tasks)), now)


def named(core: WorkerCore, now: float) -> tuple[Held, ...] | None:
    """What the next frame's beat names; None where there is no beat."""
    core.first_beat(now)
    frame = core.take(now)
    return None if frame is None or frame.beat is None else frame.beat.held


def test_idle_worker_notices_a_dead_stream_of_an_engine_that_answers_its_beats() -> None:
    core = attached_core()
    core.open_stream(0.0)
    core.receive(ToWorker(attached=Attached(lease_ms=LEASE_MS, answers_beats=True)), 0.0)
    lease_s = LEASE_MS / 1000

    core.beat(0)
    core.take(5.0)

    assert (core.deaf(5.0 + lease_s), core.deaf(5.1 + lease_s)) == (False, True)
    core.receive(ToWorker(), 6.0)
    assert not core.deaf(5.1 + lease_s)
    assert core.receive(ToWorker(), 6.0) == []


def test_idle_worker_expects_nothing_of_an_engine_that_answers_no_idle_beat() -> None:
    core = attached_core()

    core.beat(0)
    core.take(5.0)

    assert not core.deaf(1000.0)


def test_quick_task_is_never_named() -> None:
    core = attached_core()
    give(core, held(1))

    core.finish(held(1), b"done")

    assert not core.unnamed
    assert named(core, FIRST_BEAT_S) is None


def test_task_that_is_not_over_soon_is_named_once_without_the_younger_ones() -> None:
    core = attached_core()
    give(core, held(1), now=0.0)
    give(core, held(2), now=FIRST_BEAT_S)

    first, again = named(core, FIRST_BEAT_S), named(core, FIRST_BEAT_S)
    second = named(core, 2 * FIRST_BEAT_S)

    assert (first, again, second) == ((held(1),), None, (held(2),))
    assert not core.unnamed


def test_task_that_ends_before_its_frame_leaves_is_not_named() -> None:
    core = attached_core()
    give(core, held(1), held(2), held(3))
    core.first_beat(FIRST_BEAT_S)

    core.finish(held(1), b"done")
    core.receive(ToWorker(lost=(held(2),)), FIRST_BEAT_S)

    assert named(core, FIRST_BEAT_S) == (held(3),)


def test_beat_of_all_leaves_nothing_to_be_named() -> None:
    core = attached_core()
    give(core, held(1), held(2))

    core.beat(7)
    frame = core.take(0.0)

    assert frame is not None
    assert frame.beat is not None
    assert frame.beat.held == (held(1), held(2))
    assert not core.unnamed


def test_attach_that_lists_a_task_has_named_it() -> None:
    core = attached_core()
    give(core, held(1))
    core.first_beat(FIRST_BEAT_S)

    first = core.open_stream(1.0)
    core.receive(ToWorker(attached=Attached(lease_ms=LEASE_MS)), 1.0)

    assert first.attach is not None
    assert first.attach.held == (held(1),)
    assert named(core, 2.0) is None


def test_answer_to_a_first_beat_renews_the_local_lease() -> None:
    core = attached_core()
    give(core, held(1), now=0.0)
    until_s = LEASE_MS / 1000
    named(core, 5.0)

    core.receive(ToWorker(renewed=(held(1),)), 5.1)

    assert core.leased(held(1), until_s)


async def test_running_task_is_named_long_before_a_beat_is_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work_module, "HEARTBEAT_S", 3600.0)
    gate = Gate()
    async with bench(tools=[gated(gate)]) as b:
        engine = await b.engine.attached(lease_ms=24 * 3_600_000)
        engine.give(task(payload=tool_payload("slow")))
        await gate.until_entered()

        frame = await engine.until(lambda f: f.beat is not None)

        assert frame.beat is not None
        assert frame.beat.held == (held(),)
        gate.release.set()
        await engine.result()
