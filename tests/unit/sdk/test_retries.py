"""When a step is tried again, as its policy and its error say."""

import math
from collections.abc import Callable

import pytest

from mainspring import NO_RETRY, GiveUp, Retry, RetryAfter, Unserializable, step
from mainspring.plain import attempt_plain
from mainspring_kernel.draws import SeededDraws

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


@pytest.mark.parametrize(
    "made",
    [
        lambda: Retry(attempts=0),
        lambda: Retry(first_s=-1),
        lambda: Retry(first_s=math.nan),
        lambda: Retry(first_s=math.inf),
        lambda: Retry(max_s=-1),
        lambda: Retry(max_s=math.nan),
        lambda: Retry(factor=0),
        lambda: Retry(factor=math.inf),
        lambda: Retry.fixed(-1),
    ],
    ids=["none", "past", "nan", "never", "bound past", "bound nan", "halt", "leap", "fixed past"],
)
def test_numbers_that_no_retry_goes_by_are_refused_where_they_are_written(
    made: Callable[[], Retry],
) -> None:
    with pytest.raises(ValueError, match=r"attempts=|first_s=|factor="):
        made()


@pytest.mark.parametrize("never", [ValueError, ("ValueError",), (ValueError(),)])
def test_what_is_never_tried_again_is_a_tuple_of_classes(never: object) -> None:
    with pytest.raises(TypeError, match="a tuple of classes of exceptions"):
        Retry(never=never)  # pyright: ignore[reportArgumentType] -- as people write it


def test_a_first_wait_beyond_the_bound_is_each_wait() -> None:
    retry = Retry(attempts=5, first_s=60.0, jitter=False)

    assert [retry.delay(FAILED, attempt=n, draw=0.3) for n in range(1, 6)] == [60.0] * 4 + [None]


@pytest.mark.parametrize("retry", [Retry.fixed(0.0), Retry(first_s=0.0)], ids=["fixed", "grows"])
def test_a_pace_of_nothing_tries_again_at_once(retry: Retry) -> None:
    waits = [retry.delay(FAILED, attempt=n, draw=0.5) for n in range(1, 4)]

    assert waits == [0.0, 0.0, None]
    assert retry.delay(RetryAfter(7.0), attempt=1, draw=0.5) == 7.0


async def test_a_code_that_is_a_number_is_told_as_text() -> None:
    @step
    async def missing() -> None:
        raise GiveUp(404)

    result = await attempt_plain(missing, b"[]", failures=0, draws=SeededDraws(1), processes=None)

    assert result.flaw is not None
    assert (result.flaw.code, result.flaw.message, result.retry_ms) == ("404", "404", None)
