"""Counts and distributions kept in memory: what lies in which bucket, and the bound on keys."""

from mainspring_kernel.limits import METRIC_SERIES_MAX
from mainspring_kernel.tally import OTHER, Counts, Spread, Spreads, doubling


def test_a_value_lies_in_the_bucket_whose_bound_it_does_not_exceed() -> None:
    spread = Spread((1.0, 2.0, 4.0))

    for value in (0.5, 1.0, 1.5, 4.0, 9.0):
        spread.note(value)

    assert spread.counts == [2, 1, 1, 1]
    assert spread.total == 16.0


def test_a_time_before_its_start_counts_as_none_at_all() -> None:
    spread = Spread((1.0,))

    spread.note(-3.0)

    assert (spread.counts, spread.total) == ([1, 0], 0.0)


def test_each_bound_is_twice_the_one_before() -> None:
    assert doubling(0.001, 4) == (0.001, 0.002, 0.004, 0.008)


def test_keys_beyond_the_bound_add_up_as_others() -> None:
    counts, spreads = Counts(), Spreads((1.0,))

    for number in range(METRIC_SERIES_MAX + 5):
        counts.add((f"queue-{number}",))
        spreads.note((f"queue-{number}",), 0.5)
    counts.add(("queue-0",))

    counted, spread = dict(counts.items()), dict(spreads.items())
    assert len(counted) == len(spread) == METRIC_SERIES_MAX + 1
    assert counted["queue-0",] == 2
    assert counted[OTHER,] == 5
    assert sum(spread[OTHER,].counts) == 5
