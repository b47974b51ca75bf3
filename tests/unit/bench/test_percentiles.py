import pytest

from tests.load.bench.percentiles import percentile, spread


def test_a_percentile_is_a_sample_that_was_measured() -> None:
    ordered = [float(n) for n in range(1, 201)]

    assert percentile(ordered, 0.5) == 100.0
    assert percentile(ordered, 0.99) == 198.0
    assert percentile(ordered, 1.0) == 200.0


def test_the_highest_percentiles_of_few_samples_are_the_worst_one() -> None:
    found = spread([3.0, 1.0, 2.0])

    assert (found.count, found.p50, found.p99, found.worst) == (3, 2.0, 3.0, 3.0)


def test_one_sample_is_its_own_spread() -> None:
    found = spread([7.0])

    assert (found.p50, found.p95, found.p99, found.worst) == (7.0, 7.0, 7.0, 7.0)


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        spread([])
