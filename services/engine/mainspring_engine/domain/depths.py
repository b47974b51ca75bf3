"""Adds a look at all routes up by queue, for those who scale workers by it. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from mainspring_kernel.limits import METRIC_SERIES_MAX
from mainspring_kernel.tally import OTHER
from mainspring_schema.operations import QueueHealth


class Depth(Struct, kw_only=True):
    """Open tasks of one queue. Times are seconds."""

    ready: int = 0
    leased: int = 0
    delayed: int = 0
    waiting: int = 0
    unserved: int = 0
    """Ready tasks of routes that no active worker serves."""
    oldest_s: float = 0.0
    wait_s: float = 0.0
    """See `by_queue`."""


def by_queue(routes: Iterable[QueueHealth]) -> dict[str, Depth]:
    """Queues beyond METRIC_SERIES_MAX add up as one, the smallest first.

    The expected wait of a queue is the sum of its routes', each ready x hold / slots
    (`health.expected_wait_ms`: depth, mean time that a task lately held its slot, slots of the
    workers that serve it), because routes of one queue mostly share their workers. A route that
    nobody serves has waited as long as its oldest task and will wait longer: that age stands in,
    so that the signal rises from nothing, too.
    """
    depths: dict[str, Depth] = {}
    for route in routes:
        _add(depths.setdefault(route.queue, Depth()), route)
    if len(depths) <= METRIC_SERIES_MAX:
        return depths
    ranked = sorted(depths, key=lambda queue: (-depths[queue].ready, queue))
    kept, others = ranked[:METRIC_SERIES_MAX], frozenset(ranked[METRIC_SERIES_MAX:])
    rest = Depth()
    for route in routes:
        if route.queue in others:
            _add(rest, route)
    return {queue: depths[queue] for queue in kept} | {OTHER: rest}


def _add(depth: Depth, route: QueueHealth) -> None:
    depth.ready += route.ready
    depth.leased += route.leased
    depth.delayed += route.delayed
    depth.waiting += route.waiting
    depth.oldest_s = max(depth.oldest_s, route.oldest_ms / 1000)
    if not route.slots:
        depth.unserved += route.ready
    wait_ms = route.oldest_ms if route.expected_wait_ms is None else route.expected_wait_ms
    depth.wait_s += wait_ms / 1000
