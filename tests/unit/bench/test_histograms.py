import pytest

from tests.load.bench.histograms import VALUE_MAX, Histogram, spread


def test_percentiles_are_right_to_three_digits() -> None:
    found = Histogram.of(float(n) for n in range(1, 2001))

    assert found.percentile(0.5) == pytest.approx(1000.0, rel=0.001)
    assert found.percentile(0.99) == pytest.approx(1980.0, rel=0.001)
    assert found.percentile(1.0) == pytest.approx(2000.0, rel=0.001)


def test_the_highest_percentiles_of_few_samples_are_the_worst_one() -> None:
    found = spread([3.0, 1.0, 2.0])

    assert found.count == 3
    assert (found.p50, found.p99, found.worst) == pytest.approx((2.0, 3.0, 3.0), rel=0.001)


def test_no_percentile_lies_above_the_worst_sample() -> None:
    found = spread([70.001])

    assert (found.p50, found.p95, found.p99) == (found.worst,) * 3


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        spread([])


def test_processes_are_summed_without_their_samples() -> None:
    one, other = Histogram.of([1.0] * 99), Histogram.of([500.0])

    found = Histogram.summed([one.encode(), other.encode()])

    assert found.count == 100
    assert found.percentile(0.99) == pytest.approx(1.0, rel=0.001)
    assert found.percentile(1.0) == pytest.approx(500.0, rel=0.001)


def test_what_lies_outside_counts_as_the_end() -> None:
    found = Histogram.of([-1.0, VALUE_MAX * 10])

    assert found.count == 2
    assert found.percentile(0.5) == 0.0
    assert found.percentile(1.0) == pytest.approx(VALUE_MAX, rel=0.001)


def test_a_curve_says_no_more_than_the_samples_can() -> None:
    parts = [part for part, _ in Histogram.of(float(n) for n in range(1, 101)).curve()]

    assert max(part for part in parts if part < 1.0) <= 0.99
    assert parts[-1] == 1.0
    assert parts == sorted(parts)
