import pytest

from tests.load.bench.crew import BenchFailed
from tests.load.bench.floor import Arrived, met
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Asked
from tests.load.bench.sampler import growth
from tests.load.bench.scenarios.turns import per_second, shares


def test_a_wait_goes_from_the_schedule_to_the_worker() -> None:
    (wait,) = met([Asked("t1", "", 10.0)], {"t1": 10.004, "t2": 11.0})

    assert wait.ms == pytest.approx(4.0)


def test_a_task_that_no_worker_saw_fails_the_bench() -> None:
    with pytest.raises(BenchFailed, match="1 of 2"):
        met([Asked("t1", "", 10.0), Asked("t2", "", 10.0)], {"t1": 10.5})


def test_waits_are_told_apart_by_organization_and_by_second() -> None:
    waits = met([Asked("a", "", 10.1), Asked("b", "org_1", 11.2)], {"a": 10.101, "b": 11.3})
    arrived = Arrived(waits=waits, lag=Histogram(), began_s=10.0, clients_cpu_s=0.0)

    assert arrived.histogram("org_1").percentile(0.5) == pytest.approx(100.0, rel=0.001)
    assert arrived.histogram().count == 2
    assert [at for at, _ in arrived.by_second(0.5)] == [0.0, 1.0]


def test_turns_are_counted_by_whole_seconds() -> None:
    assert per_second([0.1, 0.9, 1.5, 7.0], 2.5) == [(0.0, 2.0), (1.0, 1.0)]


def test_clients_are_spread_as_evenly_as_can_be() -> None:
    assert shares(32, 2) == [16, 16]
    assert shares(10, 3) == [4, 3, 3]


def test_growth_is_counted_between_two_moments_only() -> None:
    line = [(float(at), 100.0 if at < 10 else 50.0 + at) for at in range(60)]

    assert growth(line, 10.0, 59.0) == pytest.approx(0.75, abs=0.05)
    assert growth(line, 0.0, 5.0) == 0.0
    assert growth(line, 70.0, 80.0) is None
