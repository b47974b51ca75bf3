import time

import pytest

from tests.load.bench import arrivals
from tests.load.bench.histograms import Histogram


def test_a_constant_schedule_fills_its_time_evenly() -> None:
    assert arrivals.constant(4.0, 1.5) == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]


def test_arrivals_by_chance_keep_the_rate_and_their_order() -> None:
    draws = iter([n * 0.618034 % 1 for n in range(1, 10_000)])

    found = arrivals.poisson(200.0, 10.0, lambda: next(draws))

    assert len(found) == pytest.approx(2000, rel=0.1)
    assert found == sorted(found)
    assert 0 < found[0] < found[-1] < 10.0


def test_a_request_that_the_client_came_late_to_counts_from_its_schedule() -> None:
    assert arrivals.counted_from(10.0, 10.2) == 10.0


def test_a_timer_of_whole_milliseconds_costs_no_request() -> None:
    assert arrivals.counted_from(10.0, 10.001) == 10.001


async def test_a_stall_counts_for_every_request_it_delayed() -> None:
    lag = Histogram()
    began = time.monotonic() - 1.0

    found = [counted async for counted in arrivals.due([0.0, 0.1, 0.2], began, lag)]

    assert found == [began, began + 0.1, began + 0.2]
    assert lag.percentile(0.5) >= 800.0
