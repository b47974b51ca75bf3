"""What a look at all open tasks says: how long new ones will wait, and what is wrong. Pure."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.limits import SWEEP_LATE_MS
from mainspring_engine.domain.routes import Offer, Route
from mainspring_engine.domain.samples import RouteSample, Sample, SeatSample
from mainspring_schema.operations import Health, QueueHealth, WorkerCounts


def health(sample: Sample, holds: HoldTimes, sweeps_ms: Mapping[str, int]) -> Health:
    routes = _whatever_their_keys(sample.routes)
    queues = tuple(_queue(route, sample.seats, holds) for route in routes)
    return Health(
        at_ms=sample.at_ms,
        queues=queues,
        workers=WorkerCounts(
            active=sum(seat.active for seat in sample.seats),
            silent=sum(seat.silent for seat in sample.seats),
            draining=sum(seat.draining for seat in sample.seats),
            slots=sum(seat.slots for seat in sample.seats),
            held=sum(seat.held for seat in sample.seats),
        ),
        replicas=sample.replicas,
        sweeps_ms=dict(sweeps_ms),
        dead_letters=sample.dead_letters,
        cut=sample.cut,
        problems=tuple(_problems(sample, queues, sweeps_ms)),
    )


def _whatever_their_keys(routes: Iterable[RouteSample]) -> Iterator[RouteSample]:
    """Keys may be as many as customers, and who serves a task does not rest on them."""
    found: dict[Route, RouteSample] = {}
    for one in routes:
        bare = one.route.without_keys
        first = found.get(bare)
        found[bare] = (
            msgspec.structs.replace(one, route=bare) if first is None else _sum(first, one)
        )
    return iter(found.values())


def _sum(one: RouteSample, other: RouteSample) -> RouteSample:
    return RouteSample(
        route=one.route,
        ready=one.ready + other.ready,
        leased=one.leased + other.leased,
        delayed=one.delayed + other.delayed,
        waiting=one.waiting + other.waiting,
        oldest_ms=max(one.oldest_ms, other.oldest_ms),
    )


def _queue(route: RouteSample, seats: Iterable[SeatSample], holds: HoldTimes) -> QueueHealth:
    slots = sum(seat.slots for seat in seats if _serves(seat, route.route))
    return QueueHealth(
        queue=route.route.queue,
        capability=route.route.capability,
        build=route.route.build,
        model=route.route.model,
        ready=route.ready,
        leased=route.leased,
        delayed=route.delayed,
        waiting=route.waiting,
        oldest_ms=route.oldest_ms,
        slots=slots,
        expected_wait_ms=expected_wait_ms(route, slots, holds.mean_s(route.route)),
    )


def expected_wait_ms(route: RouteSample, slots: int, hold_s: float | None) -> int | None:
    """How long a task that comes now waits for its start: ready x hold / slots, in milliseconds.

    ready: tasks before it on its route. hold: for how long a task of the route holds its slot, the
    moving mean of this engine; the age of the oldest ready task stands in while no task was seen
    to end. slots: those of all active workers that serve the route, free or not. None where there
    are none: nothing tells when it would start.

    It is the signal to scale workers by: slots for a wanted wait are ready x hold / wait. Routes
    that share their workers share their slots, so the wait of the whole is the sum of theirs.
    """
    if route.ready == 0:
        return 0 if slots else None
    if slots == 0:
        return None
    if hold_s is None:
        return route.oldest_ms
    return round(route.ready * hold_s * 1000 / slots)


def _serves(seat: SeatSample, route: Route) -> bool:
    offer = Offer(queues=seat.queues, capabilities=seat.capabilities, build=seat.build)
    return offer.serves(route)


def _problems(
    sample: Sample, queues: tuple[QueueHealth, ...], sweeps_ms: Mapping[str, int]
) -> Iterator[str]:
    for queue in queues:
        if queue.ready and not queue.slots:
            yield f"{queue.ready} tasks wait for {_named(queue)}, which no active worker serves"
    for kind, age_ms in sorted(sweeps_ms.items()):
        if age_ms > SWEEP_LATE_MS:
            yield f"the sweep of {kind} was made {age_ms / 1000:.0f} s ago"
    if sample.dead_letters:
        yield f"{sample.dead_letters} dead letters wait for an operator"


def _named(queue: QueueHealth) -> str:
    parts = (
        f"queue {queue.queue!r}",
        f"capability {queue.capability!r}" if queue.capability else "",
        f"build {queue.build!r}" if queue.build else "",
    )
    return ", ".join(part for part in parts if part)
