"""When a step is tried again, as its policy and its error say."""

import pytest

from mainspring import NO_RETRY, GiveUp, Retry, RetryAfter, Unserializable

FAILED = ValueError("no")


def test_waits_grow_to_their_bound_and_are_spread() -> None:
    retry = Retry(attempts=9, first_s=1.0, factor=2.0, max_s=5.0)

    longest = [retry.delay(FAILED, attempt=n, draw=0.999) for n in range(1, 5)]

    assert longest == pytest.approx([0.999, 1.998, 3.996, 4.995])
    assert retry.delay(FAILED, attempt=4, draw=0.0) == 0


def test_a_fixed_pace_is_always_the_same() -> None:
    retry = Retry.fixed(2.0, attempts=4)

    assert [retry.delay(FAILED, attempt=n, draw=0.3) for n in range(1, 5)] == [2.0, 2.0, 2.0, None]


def test_what_the_other_side_asked_for_is_never_undercut() -> None:
    asked = RetryAfter(30.0)

    assert Retry(first_s=1.0).delay(asked, attempt=1, draw=0.0) == 30.0
    assert Retry.fixed(2.0).delay(asked, attempt=1, draw=0.5) == 32.0
    assert NO_RETRY.delay(asked, attempt=1, draw=0.5) is None


@pytest.mark.parametrize("error", [GiveUp("closed"), Unserializable(), KeyError("x")])
def test_some_errors_would_come_again(error: Exception) -> None:
    assert Retry(never=(LookupError,)).delay(error, attempt=1, draw=0.5) is None
