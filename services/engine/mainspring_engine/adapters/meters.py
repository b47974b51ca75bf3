"""What an engine reports of itself, under the names of the metrics."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from mainspring_engine.domain.circuit import Circuit, CircuitState
from mainspring_engine.domain.depths import by_queue
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.samples import Vitals
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.gauging import Gauging
from mainspring_kernel.limits import METRIC_SERIES_MAX
from mainspring_runtime import names
from mainspring_runtime.readings import Reading
from mainspring_schema.keys import wire_key
from mainspring_schema.operations import Health

_STATES: Final = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}


class EngineMeters:
    """A source of readings. Called from other threads: it copies before it walks."""

    def __init__(
        self,
        *,
        tallies: Tallies,
        gauging: Gauging,
        attachments: Attachments,
        roster: Roster,
        circuits: Callable[[], tuple[Circuit, ...]],
    ) -> None:
        self._tallies = tallies
        self._gauging = gauging
        self._attachments = attachments
        self._roster = roster
        self._circuits = circuits

    def readings(self) -> Iterator[Reading]:
        yield from self._noted()
        yield from self._attached()
        for circuit in islice(self._circuits(), METRIC_SERIES_MAX):
            told = {names.CIRCUIT_KEY: wire_key(circuit.key)}
            yield Reading(names.CIRCUIT_STATE, _STATES[circuit.state], told)
        health, vitals = self._gauging.health, self._gauging.vitals
        if health is not None:
            yield from _queues(health)
        if vitals is not None:
            yield from _postgres(vitals)

    def _noted(self) -> Iterator[Reading]:
        noted = self._tallies
        yield Reading(names.CLAIM_TASKS, noted.claims)
        yield Reading(names.COMMIT_ITEMS, noted.flights)
        yield Reading(names.COMMIT_DURATION, noted.commits)
        yield Reading(names.COMMIT_CONFLICTS, noted.conflicts)
        yield Reading(names.LEASES_EXPIRED, noted.expired)
        for (queue,), spread in noted.waits.items():
            yield Reading(names.TASK_WAIT, spread, {names.QUEUE: queue})
        for (kind,), count in noted.retries.items():
            yield Reading(names.TASK_RETRIES, count, {names.ERROR_TYPE: kind})

    def _attached(self) -> Iterator[Reading]:
        attachments = self._attachments.all()
        yield Reading(names.WORKER_STREAMS, len(attachments))
        yield Reading(names.WORKER_HELD, sum(len(attachment.held) for attachment in attachments))
        free = sum(max(0, seat.free_slots) for seat in self._roster.all())
        yield Reading(names.WORKER_CREDITS, free)


def _queues(health: Health) -> Iterator[Reading]:
    yield Reading(names.DEAD_LETTERS, health.dead_letters)
    yield Reading(names.QUEUE_CUT, int(health.cut))
    for queue, depth in by_queue(health.queues).items():
        told = {names.QUEUE: queue}
        yield Reading(names.QUEUE_AGE, depth.oldest_s, told)
        yield Reading(names.QUEUE_WAIT, depth.wait_s, told)
        yield Reading(names.QUEUE_UNSERVED, depth.unserved, told)
        counts = {
            "ready": depth.ready,
            "leased": depth.leased,
            "delayed": depth.delayed,
            "waiting": depth.waiting,
        }
        for state, count in counts.items():
            yield Reading(names.QUEUE_TASKS, count, {**told, names.TASK_STATE: state})


def _postgres(vitals: Vitals) -> Iterator[Reading]:
    for table, rows in vitals.dead_rows.items():
        yield Reading(names.DEAD_TUPLES, rows, {names.TABLE: table})
    if vitals.horizon_s is not None:
        yield Reading(names.HORIZON_AGE, vitals.horizon_s)
    if vitals.horizon_behind is not None:
        yield Reading(names.HORIZON_BEHIND, vitals.horizon_behind)
