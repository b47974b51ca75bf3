"""A loop's pass that fails: the loop goes on, and says so."""

import logging

import pytest

from mainspring_kernel.errors import Unavailable
from mainspring_kernel.passes import one_pass

LOG = logging.getLogger("mainspring_kernel.test")


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "said", "level"),
    [
        (Unavailable("away"), "a claim waits: away", logging.WARNING),
        (ValueError("no column keeps it"), "a claim failed", logging.ERROR),
    ],
    ids=["away", "a fault"],
)
def test_a_pass_that_fails_is_told_and_costs_itself_alone(
    error: Exception, said: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with one_pass(LOG, "a claim"):
        fail(error)

    assert [(one.message, one.levelno) for one in caplog.records] == [(said, level)]


def test_a_pass_is_cancelled_as_anything_else() -> None:
    with pytest.raises(KeyboardInterrupt), one_pass(LOG, "a claim"):
        raise KeyboardInterrupt
