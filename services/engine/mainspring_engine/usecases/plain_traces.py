"""The traces of plain tasks: spans of their attempts, and submits that differ only in the trace.

A task without a trace costs nothing here. With one it is like a step of a workflow: each attempt is
a span under the span that its caller named.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

import msgspec

from mainspring_engine.domain.plain import (
    NewPlain,
    PlainAnswered,
    PlainDied,
    PlainIncident,
    is_same,
    trace_of,
)
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.outside import AttemptEnd, Witness
from mainspring_engine.ports.plain import PlainAdded
from mainspring_engine.ports.store import Store
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_schema.frames import Held

_log = logging.getLogger(__name__)


async def traces_of(store: Store, task_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Of plain tasks that were made with one. A span is told, not owed: none while none is read."""
    if not task_ids:
        return {}
    try:
        kept = await store.plain.payloads(tuple(task_ids))
    except Unavailable as error:
        _log.warning("attempts of plain tasks leave no spans: %s", error)
        return {}
    return {id_: trace for (_, id_), payload in kept.items() if (trace := trace_of(payload))}


class PlainTraces:
    """See the module."""

    def __init__(self, store: Store, witness: Witness, clock: Clock) -> None:
        self._store = store
        self._witness = witness
        self._clock = clock

    async def died(self, incidents: Sequence[PlainIncident]) -> None:
        """Of these the last attempts that ended with their workers, and that is committed."""
        deaths = [incident for incident in incidents if isinstance(incident, PlainDied)]
        traces = await traces_of(self._store, [death.task.id for death in deaths])
        ended_ms = self._clock.wall_ms()
        for death in deaths:
            trace = traces.get(death.task.id, "")
            held = Held(death.task.id, death.task.fence)
            self._tell(held, trace, Closing.QUARANTINED, death.claimed_ms, ended_ms)

    async def cancelled(self, attempts: Sequence[Held]) -> None:
        """These ended with a cancel, and that is committed."""
        traces = await traces_of(self._store, [held.task_id for held in attempts])
        if not traces:
            return
        try:
            times = await self._store.plain.times(tuple(attempts))
        except Unavailable as error:
            _log.warning("cancelled attempts leave no spans: %s", error)
            return
        for held, (claimed_ms, closed_ms) in times.items():
            trace = traces.get(held.task_id, "")
            self._tell(held, trace, Closing.CANCELLED, claimed_ms, closed_ms)

    def ended(self, incident: PlainIncident, closing: Closing) -> None:
        """An attempt was answered, and its end is committed."""
        if not isinstance(incident, PlainAnswered) or not incident.traceparent:
            return
        ended_ms = self._clock.wall_ms()
        ran_ms = round((self._clock.mono() - incident.since_s) * 1000)
        self._tell(incident.held, incident.traceparent, closing, ended_ms - ran_ms, ended_ms)

    def _tell(
        self, held: Held, trace: str, closing: Closing, claimed_ms: int, ended_ms: int
    ) -> None:
        """Nothing of a task that was made without a trace."""
        if not trace:
            return
        end = AttemptEnd(
            held=held,
            session_id=held.task_id,
            workflow_id=held.task_id,
            traceparent=trace,
            closing=closing,
            claimed_ms=claimed_ms,
            ended_ms=ended_ms,
        )
        self._witness.attempt_ended(end)

    async def overlooked(self, new: dict[UUID, NewPlain], added: PlainAdded) -> PlainAdded:
        """The store compares whole payloads: what differs in its trace alone is known after all."""
        if not added.differing:
            return added
        kept = await self._store.plain.payloads(tuple(added.differing))
        same = frozenset(
            id_
            for id_ in added.differing
            if (made := kept.get((new[id_].org_id, id_))) is not None
            and is_same(made, new[id_].payload)
        )
        return msgspec.structs.replace(
            added, known=added.known | same, differing=added.differing - same
        )
