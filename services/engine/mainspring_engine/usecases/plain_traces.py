"""The traces of plain tasks: spans of their attempts, and submits that differ in the trace alone.

A task without a trace costs nothing here. With one it is as a step of a workflow: each attempt is
a span under the one that its caller named.
"""

from uuid import UUID

import msgspec

from mainspring_engine.domain.plain import NewPlain, PlainAnswered, PlainIncident, is_same
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.outside import AttemptEnd, Witness
from mainspring_engine.ports.plain import PlainAdded
from mainspring_engine.ports.store import Store
from mainspring_kernel.clock import Clock


class PlainTraces:
    """See the module."""

    def __init__(self, store: Store, witness: Witness, clock: Clock) -> None:
        self._store = store
        self._witness = witness
        self._clock = clock

    def ended(self, incident: PlainIncident, closing: Closing) -> None:
        """An attempt was answered, and its end is committed."""
        if not isinstance(incident, PlainAnswered) or not incident.traceparent:
            return
        ended_ms = self._clock.wall_ms()
        ran_ms = round((self._clock.mono() - incident.since_s) * 1000)
        end = AttemptEnd(
            held=incident.held,
            session_id=incident.held.task_id,
            workflow_id=incident.held.task_id,
            traceparent=incident.traceparent,
            closing=closing,
            claimed_ms=ended_ms - ran_ms,
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
