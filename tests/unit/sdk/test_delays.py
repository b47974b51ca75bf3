"""How long users want to wait, as the engine is told."""

from datetime import timedelta
from math import inf, nan

import pytest

from mainspring.delays import delay_ms_of, timeout_ms_of


@pytest.mark.parametrize(
    ("duration", "delay_ms"),
    [(0.5, 500), (timedelta(days=3650), 315_360_000_000), (-1, 0), (timedelta(-1), 0), (-inf, 0)],
    ids=str,
)
def test_a_time_is_told_in_milliseconds(duration: float | timedelta, delay_ms: int) -> None:
    assert delay_ms_of(duration) == delay_ms


@pytest.mark.parametrize("duration", [inf, nan, 1e13, timedelta.max], ids=str)
def test_what_nothing_waits_for_is_refused_where_it_is_said(duration: float | timedelta) -> None:
    with pytest.raises(ValueError, match=r"s is longer than anything waits: at most 3153600000 s"):
        delay_ms_of(duration)


def test_no_timeout_is_for_ever() -> None:
    assert timeout_ms_of(None) is None
