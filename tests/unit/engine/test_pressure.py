"""Backpressure: what is refused, for how long, and what never is."""

from uuid import UUID

import pytest

from mainspring_engine.domain.backlog import Group
from mainspring_engine.domain.gate_limits import DEPTH_RETRY_S_MAX, LOAD_OPEN, LOAD_SHUT
from mainspring_engine.domain.pressure import Depths, Valve
from mainspring_engine.domain.routes import Route
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import TooManyRequests

A, B = UUID(int=1), UUID(int=2)
Q = "default"


def test_a_valve_that_shut_opens_at_a_lower_load() -> None:
    valve = Valve()
    between = (LOAD_OPEN + LOAD_SHUT) / 2

    assert [valve.lets(load) for load in (between, LOAD_SHUT, between, LOAD_OPEN, between)] == [
        True,
        False,
        False,
        True,
        True,
    ]


def test_an_organization_above_its_depth_is_refused_and_the_others_are_not() -> None:
    depths = Depths()
    depths.counted({(Q, A): 10, (Q, B): 9}, seconds=1)

    assert depths.retry_after_s(Q, A, org_max=10) is not None
    assert depths.retry_after_s(Q, B, org_max=10) is None
    assert depths.retry_after_s("other", A, org_max=10) is None


def test_a_full_queue_refuses_everybody() -> None:
    depths = Depths()
    depths.counted({(Q, A): 10, (Q, B): 10}, seconds=1)

    assert depths.retry_after_s(Q, UUID(int=3), queue_max=20) is not None
    assert depths.retry_after_s(Q, UUID(int=3), queue_max=21) is None


def test_what_came_and_went_since_the_count_counts() -> None:
    depths = Depths()
    depths.counted({(Q, A): 3}, seconds=1)

    depths.came(Q, A, 4)
    depths.went(Q, A, 2)
    depths.went(Q, B, 5)

    assert (depths.depth(Q, A), depths.depth(Q, B)) == (5, 0)
    assert depths.retry_after_s(Q, B, queue_max=6) is None
    assert depths.retry_after_s(Q, B, queue_max=5) is not None


def test_the_wait_is_what_the_surplus_takes_at_todays_pace() -> None:
    depths = Depths()
    depths.went(Q, A, 50)
    depths.counted({(Q, A): 199}, seconds=5)

    assert depths.retry_after_s(Q, A, org_max=100) == pytest.approx(10)


def test_without_any_pace_the_wait_is_its_bound() -> None:
    depths = Depths()
    depths.counted({(Q, A): 10}, seconds=1)

    assert depths.retry_after_s(Q, A, org_max=10) == DEPTH_RETRY_S_MAX


GROUPS = [Group(Route(queue=Q, keys=(key,)), A, 0) for key in ("a", "b", "c")]


def pages() -> Backpressure:
    """Of three groups with 4 tasks each two were counted, on a page each."""
    pressure = Backpressure(clock=ManualClock(), load=lambda: 0.0, org_max=12)
    pressure.counted({GROUPS[0]: 4}, last=False)
    pressure.counted({GROUPS[1]: 4}, last=False)
    return pressure


def test_what_waits_is_counted_over_all_pages_of_a_pass() -> None:
    pressure = pages()
    pressure.check(A, Q)

    pressure.counted({GROUPS[2]: 4})

    with pytest.raises(TooManyRequests):
        pressure.check(A, Q)
    pressure.counted({GROUPS[2]: 1}, last=False)
    with pytest.raises(TooManyRequests):
        pressure.check(A, Q)
    pressure.counted({})
    pressure.check(A, Q)


def test_what_comes_and_goes_between_two_pages_is_counted() -> None:
    less, more = pages(), pages()
    less.went(GROUPS[:1])
    more.went(GROUPS[:1])
    more.came(GROUPS[:1] * 2)

    less.counted({GROUPS[2]: 4})
    more.counted({GROUPS[2]: 3})

    less.check(A, Q)
    with pytest.raises(TooManyRequests):
        more.check(A, Q)
