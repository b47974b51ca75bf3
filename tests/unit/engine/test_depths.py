"""What is told of a queue: its routes added up, with a bound on how many queues are told apart."""

from mainspring_engine.domain.depths import by_queue
from mainspring_kernel.limits import METRIC_SERIES_MAX
from mainspring_kernel.tally import OTHER
from mainspring_schema.operations import QueueHealth


def route(queue: str, *, ready: int = 0, wait_ms: int | None = 0, slots: int = 4) -> QueueHealth:
    return QueueHealth(
        queue=queue,
        capability="",
        build="",
        model="",
        ready=ready,
        leased=1,
        delayed=2,
        waiting=3,
        oldest_ms=ready * 1000,
        slots=slots,
        expected_wait_ms=wait_ms,
    )


def test_routes_of_a_queue_share_its_workers_so_their_waits_add_up() -> None:
    depths = by_queue([route("a", ready=2, wait_ms=500), route("a", ready=3, wait_ms=1500)])

    depth = depths["a"]
    assert (depth.ready, depth.leased, depth.delayed, depth.waiting) == (5, 2, 4, 6)
    assert (depth.oldest_s, depth.wait_s, depth.unserved) == (3.0, 2.0, 0)


def test_where_nobody_serves_the_age_of_the_oldest_stands_in_for_the_wait() -> None:
    depths = by_queue([route("a", ready=7, wait_ms=None, slots=0)])

    assert (depths["a"].unserved, depths["a"].wait_s) == (7, 7.0)


def test_queues_beyond_the_bound_add_up_the_smallest_first() -> None:
    routes = [route(f"q{number}", ready=number) for number in range(METRIC_SERIES_MAX + 3)]

    depths = by_queue(routes)

    assert len(depths) == METRIC_SERIES_MAX + 1
    assert depths[OTHER].ready == 0 + 1 + 2
    assert f"q{METRIC_SERIES_MAX + 2}" in depths
