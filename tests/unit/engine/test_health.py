"""What a look at all open tasks says: expected waits and problems."""

import msgspec
import pytest

from mainspring_engine.domain.health import expected_wait_ms, health
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.limits import ROUTE_CACHE_ENTRIES_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.samples import RouteSample, Sample, SeatSample

ROUTE = Route(queue="default", capability="", build="", model="m")
SEAT = SeatSample(
    queues=frozenset({"default"}),
    capabilities=frozenset({""}),
    build="b1",
    active=2,
    silent=0,
    draining=1,
    slots=10,
    held=4,
)


def waiting(ready: int, **rest: int) -> RouteSample:
    return RouteSample(route=ROUTE, ready=ready, **rest)


def sample(*routes: RouteSample, seats: tuple[SeatSample, ...] = (SEAT,), **rest: int) -> Sample:
    plain = Sample(at_ms=5, routes=routes, seats=seats, replicas=1, dead_letters=0, cut=False)
    return msgspec.structs.replace(plain, **rest)


@pytest.mark.parametrize(
    ("ready", "slots", "hold_s", "expected"),
    [
        (100, 10, 2.0, 20_000),
        (1, 4, 2.0, 500),
        (0, 4, 2.0, 0),
        (0, 0, 2.0, None),
        (7, 0, 2.0, None),
        (7, 4, None, 900),
    ],
)
def test_the_expected_wait_is_the_work_ahead_over_the_slots(
    ready: int, slots: int, hold_s: float | None, expected: int | None
) -> None:
    assert expected_wait_ms(waiting(ready, oldest_ms=900), slots, hold_s) == expected


def test_only_workers_that_serve_the_route_lend_their_slots() -> None:
    other = msgspec.structs.replace(SEAT, queues=frozenset({"mail"}), slots=100)
    holds = HoldTimes()
    holds.note(ROUTE, 1.0)

    seen = health(sample(waiting(20), seats=(SEAT, other)), holds, {})

    (queue,) = seen.queues
    assert (queue.slots, queue.expected_wait_ms) == (10, 2000)
    assert (seen.workers.active, seen.workers.slots, seen.workers.held) == (4, 110, 8)


def test_tasks_that_nobody_serves_are_a_problem() -> None:
    alone = RouteSample(
        route=Route(queue="default", capability="maths", build="b9"), ready=3, oldest_ms=1
    )

    seen = health(sample(alone), HoldTimes(), {})

    assert seen.problems == (
        "3 tasks wait for queue 'default', capability 'maths', build 'b9', "
        "which no active worker serves",
    )
    assert seen.queues[0].expected_wait_ms is None


def test_late_sweeps_and_dead_letters_are_problems() -> None:
    seen = health(sample(dead_letters=2), HoldTimes(), {"timers": 1500, "leases": 61_000})

    assert seen.problems == (
        "the sweep of leases was made 61 s ago",
        "2 dead letters wait for an operator",
    )


def test_all_is_well_where_nothing_waits_in_vain() -> None:
    assert health(sample(waiting(3)), HoldTimes(), {"timers": 10}).problems == ()


def test_a_hold_time_follows_what_is_seen() -> None:
    holds = HoldTimes()
    holds.note(ROUTE, 1.0)
    first = holds.mean_s(ROUTE)
    for _ in range(60):
        holds.note(ROUTE, 3.0)

    assert first == 1.0
    assert holds.mean_s(ROUTE) == pytest.approx(3.0, abs=0.01)
    assert holds.mean_s(Route(queue="other")) is None


def test_hold_times_of_routes_used_least_are_forgotten() -> None:
    holds = HoldTimes()
    for number in range(ROUTE_CACHE_ENTRIES_MAX):
        holds.note(Route(queue=str(number)), 1.0)
    holds.note(Route(queue="0"), 1.0)

    holds.note(Route(queue="one more"), 1.0)

    assert holds.mean_s(Route(queue="0")) is not None
    assert holds.mean_s(Route(queue="1")) is None
