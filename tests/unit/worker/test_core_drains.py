"""When a worker that drains may go: nothing is in its hands, and nothing on its way to it."""

from mainspring_schema.frames import Attached, ToWorker
from mainspring_workstream.core import WorkerCore
from tests.unit.worker.making import LEASE_MS, identity

OF_NOW = ToWorker(attached=Attached(lease_ms=LEASE_MS, answers_drains=True))
OF_BEFORE = ToWorker(attached=Attached(lease_ms=LEASE_MS))


def draining() -> WorkerCore:
    core = WorkerCore(identity())
    core.drain()
    return core


def test_one_without_a_stream_goes_at_once() -> None:
    core = draining()
    before = core.is_over
    core.open_stream(0.0)
    core.close_stream()

    assert before
    assert core.is_over


def test_one_whose_attach_is_not_answered_may_be_given_something() -> None:
    core = draining()

    core.open_stream(0.0)

    assert not core.is_over


def test_an_engine_says_when_nothing_more_comes() -> None:
    core = draining()
    core.open_stream(0.0)

    core.receive(OF_NOW, 0.0)
    before = core.is_over
    core.receive(ToWorker(drained=True), 0.0)

    assert not before
    assert core.is_over


def test_an_engine_that_cannot_say_so_is_not_waited_for() -> None:
    core = draining()
    core.open_stream(0.0)

    core.receive(OF_BEFORE, 0.0)

    assert core.is_over
