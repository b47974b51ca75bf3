import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.load.bench import arguments, conduct
from tests.load.bench.crew import BenchFailed
from tests.load.bench.peers import course, measures
from tests.load.bench.peers.driver import Entered
from tests.load.bench.peers.ratios import NAMES
from tests.load.bench.peers.traits import TRAITS, Traits


class Memory:
    """A peer that enters a task the moment it is submitted; `lost` never ends."""

    def __init__(self, *, lost: int | None = None, counts: bool = True) -> None:
        self.entered: Entered = lambda _: None
        self.calls: list[int] = []
        self._lost = lost
        self._counts = counts
        self._ended = 0

    async def prepare(self) -> None: ...

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        self.entered = entered
        ready()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def submit(self, numbers: Sequence[int]) -> None:
        self.calls.append(len(numbers))
        for number in numbers:
            if number != self._lost:
                self.entered(number)
                self._ended += 1

    async def finished(self) -> int | None:
        return self._ended if self._counts else None

    async def complete(self, number: int) -> None:
        await self.submit([number])

    async def workflow(self) -> None:
        await asyncio.sleep(0)


def traits(batch: int) -> Traits:
    return Traits(how="", tasks=10, batch=batch, callers=2)


async def test_warm_up_is_no_part_of_the_dispatch() -> None:
    peer = Memory()
    bells = measures.Doorbells()
    await peer.work(bells.entered, lambda: None)

    found = await measures.dispatch(peer, bells, samples=5, pause_s=0.0)

    assert (found.count, len(peer.calls)) == (5, 8)


async def test_tasks_go_in_the_batches_that_the_peer_documents() -> None:
    peer = Memory()

    per_s = await measures.throughput(peer, traits(batch=4), tasks=10)

    assert sorted(peer.calls) == [2, 4, 4]
    assert per_s > 0


async def test_a_peer_that_counts_nothing_is_waited_for_task_by_task() -> None:
    peer = Memory(counts=False)

    await measures.throughput(peer, traits(batch=1), tasks=10)

    assert peer.calls == [1] * 10


async def test_a_lost_task_fails_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "FINISHED_SECONDS_MAX", 0.05)

    with pytest.raises(TimeoutError):
        await measures.throughput(Memory(lost=3), traits(batch=1), tasks=10)


async def test_only_what_ends_in_the_window_counts() -> None:
    found = await measures.closed_loops(Memory().workflow, 2, warm_s=0.01, window_s=0.02)

    assert found.took.count == round(found.per_s * 0.02)
    assert found.took.count > 0


async def test_nobody_who_leaves_begins_anew() -> None:
    leaving, begun = asyncio.Event(), list[int]()

    async def one() -> None:
        begun.append(1)
        leaving.set()

    found = await measures.closed_loops(one, 2, warm_s=0, window_s=3600, leaving=leaving)

    assert found.ended == len(begun) <= 2


def test_every_peer_has_a_driver_and_says_how_it_is_used() -> None:
    drivers = Path(course.__file__).with_name("drivers")

    assert {path.stem for path in drivers.glob("*.py")} == set(NAMES)
    assert all(one.how for one in TRAITS.values())


def test_peers_are_measured_beside_what_we_are_compared_by() -> None:
    parsed = arguments.parse_peers(["dbos"])

    assert parsed.peers == ["dbos"]
    assert tuple(parsed.scenarios) == arguments.COMPARED
    assert arguments.parse_peers([]).peers == NAMES


def test_a_bare_bench_beside_peers_leaves_all_that_it_leaves_without() -> None:
    parsed = arguments.parse(["--peers"])

    assert tuple(parsed.peers) == NAMES
    assert arguments.plan_of(parsed) == arguments.plan_of(arguments.parse([]))


def test_peers_are_not_measured_beside_a_stack_elsewhere() -> None:
    with pytest.raises(BenchFailed, match="--target"):
        conduct.course_of(arguments.parse(["--peers", "--target", "http://127.0.0.1:9000"]))


def test_a_peer_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parse_peers(["dbos", "celery"])

    assert ended.value.code == 2
    assert "there is no peer celery; there are pgqueuer" in capsys.readouterr().err
