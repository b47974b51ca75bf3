"""What handlers say on its way to the engine: the newest of each step, until it is answered."""

import asyncio

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.limits import FRAME_BYTES_TARGET
from mainspring_schema.frames import Acknowledgement, Attached, Held, Progress, ToWorker, Verdict
from mainspring_workstream.actions import ProgressAnswered
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.core import WorkerCore
from tests.unit.worker.making import LEASE_MS, attached_core, held, task, tool_payload


def working(core: WorkerCore, *tasks: Held) -> None:
    core.receive(ToWorker(tasks=tuple(task(one) for one in tasks)), 0.0)


def sent(core: WorkerCore) -> tuple[Progress, ...]:
    frame = core.take(0.0)
    return () if frame is None else frame.progress


def kept(of: Held, counter: int) -> ToWorker:
    verdict = Verdict.COMMITTED
    return ToWorker(progress=(Acknowledgement(held=of, verdict=verdict, counter=counter),))


def test_the_newest_report_of_each_step_leaves_in_one_frame() -> None:
    core = attached_core()
    working(core, held(1))

    for details in (b"1", b"2"):
        assert core.report(held(1), "1", details)
    assert core.report(held(1), "2", b"x")

    assert sent(core) == (
        Progress(held=held(1), counter=2, step="1", details=b"2"),
        Progress(held=held(1), counter=3, step="2", details=b"x"),
    )
    assert sent(core) == ()


def test_an_answer_to_a_report_that_was_overtaken_says_nothing() -> None:
    core = attached_core()
    working(core, held(1))
    core.report(held(1), "1", b"1")
    sent(core)
    core.report(held(1), "1", b"2")

    assert core.receive(kept(held(1), 1), 0.0) == []
    assert core.receive(kept(held(1), 2), 0.0) == [ProgressAnswered(held(1), "1")]


def test_what_was_not_answered_is_said_again_on_the_next_stream() -> None:
    core = attached_core()
    working(core, held(1), held(2))
    for step in ("1", "2"):
        core.report(held(1), step, b"x")
    core.report(held(2), "", b"y")
    sent(core)
    core.receive(kept(held(1), 1), 0.0)

    core.open_stream(1.0)
    core.receive(ToWorker(attached=Attached(lease_ms=LEASE_MS, lost=(held(2),))), 1.0)

    assert [(said.held, said.step) for said in sent(core)] == [(held(1), "2")]


def test_a_task_that_is_not_ours_has_nothing_to_say() -> None:
    core = attached_core()
    working(core, held(1))
    core.finish(held(1), b"done")

    assert not core.report(held(1), "", b"1")
    assert not core.report(held(2), "", b"1")


def test_large_reports_are_spread_over_frames() -> None:
    core = attached_core()
    working(core, held(1))
    for step in ("1", "2", "3"):
        core.report(held(1), step, b"x" * (FRAME_BYTES_TARGET // 2))

    assert [len(sent(core)) for _ in range(3)] == [2, 1, 0]


async def test_a_handler_may_wait_until_all_it_said_is_kept() -> None:
    core = attached_core()
    working(core, held(1))
    attempt = Attempt(
        task(held(1)), tool_payload(), core=core, clock=ManualClock(), wake=lambda: None
    )
    await attempt.reported("1")  # nothing was said, so nothing is waited for
    attempt.report("1", b"1")
    attempt.report("1", b"2")

    waiting = [asyncio.create_task(attempt.reported("1")) for _ in range(2)]
    await asyncio.sleep(0)
    before = [one.done() for one in waiting]
    attempt.progress_answered("1")
    await asyncio.gather(*waiting)

    assert before == [False, False]
