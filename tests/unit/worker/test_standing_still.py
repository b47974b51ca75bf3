"""A process that stood still, a frozen one for example, may find tasks that are others' by now."""

import asyncio

import msgspec

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.limits import FIRST_BEAT_S
from mainspring_schema.frames import Held, ToWorker
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.limits import AWAKE_S
from mainspring_workstream.queue_link import QueueEngineLink
from mainspring_workstream.work import Worker
from tests.unit.worker.fake_engine import FakeEngine
from tests.unit.worker.making import LEASE_MS, attached_core, held, identity, task


class Effects:
    """Which attempts have begun something."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Held] = asyncio.Queue()

    async def begin(self, attempt: Attempt) -> bytes:
        await attempt.leased()
        self.begun.put_nowait(attempt.held)
        return b""


def test_a_task_that_may_have_lain_for_a_lease_waits_for_its_renewal() -> None:
    core = attached_core()
    core.receive(ToWorker(tasks=(task(held(1)),)), 20.0, since=20.0 - LEASE_MS / 1000)
    fresh = core.leased(held(1), 20.0)
    core.beat(0)
    core.take(20.0)

    core.receive(ToWorker(renewed=(held(1),)), 20.1)

    assert (fresh, core.leased(held(1), 20.1)) == (False, True)


def test_a_task_that_its_engine_held_for_a_lease_waits_for_its_renewal() -> None:
    core = attached_core()
    late = msgspec.structs.replace(task(held(1)), age_ms=LEASE_MS)

    core.receive(ToWorker(tasks=(late, task(held(2)))), 20.0)

    assert (core.leased(held(1), 20.0), core.leased(held(2), 20.0)) == (False, True)


async def test_what_came_meanwhile_is_begun_once_it_is_renewed_and_never_where_it_is_lost() -> None:
    engine, clock, effects = FakeEngine(), ManualClock(), Effects()
    worker = Worker(
        core=WorkerCore(identity(4)),
        link=QueueEngineLink(engine),
        clock=clock,
        draws=SeededDraws(1),
    )
    running = asyncio.create_task(worker.run(effects.begin))
    stream = await engine.attached()
    await worker.attached()
    await clock.until_sleeping(2)  # it beats, and looks at the clock
    for _ in range(3):
        clock.advance(AWAKE_S)
        await clock.until_sleeping(2)

    stream.give(task(held(1)), task(held(2)))
    clock.advance(LEASE_MS / 1000)  # at one stroke, with what lies in its socket
    await clock.until_sleeping(3)  # what came will be named
    clock.advance(FIRST_BEAT_S)
    await stream.until(lambda frame: frame.beat and frame.beat.held)
    none_before = effects.begun.empty()
    stream.say(ToWorker(lost=(held(1),), renewed=(held(2),)))
    first = await effects.begun.get()
    for _ in range(2):
        clock.advance(AWAKE_S)
        await clock.until_sleeping(2)
    stream.give(task(held(3)))

    assert none_before
    assert (first, await effects.begun.get()) == (held(2), held(3))
    worker.halt()
    await running
