"""All that the event store can do, as one object: gRPC serves it, `dev` calls it directly."""

from collections.abc import Sequence
from uuid import UUID

from mainspring_eventstore.domain import deltas
from mainspring_eventstore.ports.bus import Publisher
from mainspring_eventstore.ports.log import Epoch, LogStore, Page
from mainspring_eventstore.usecases import listing, reading, upkeep, verify
from mainspring_eventstore.usecases.append import Appender
from mainspring_eventstore.usecases.listing import Listed
from mainspring_eventstore.usecases.reading import Read
from mainspring_eventstore.usecases.verify import Verified
from mainspring_kernel import limits
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_schema.listing import EventFilter


class EventStore:
    """Make it with `open`; `drain` before the store closes."""

    def __init__(self, store: LogStore, appender: Appender) -> None:
        self._store = store
        self._appender = appender

    @classmethod
    async def open(cls, store: LogStore, publisher: Publisher) -> "EventStore":
        """Makes missing partitions, so that a stack that stood still for a month works again."""
        await upkeep.prepare(store)
        epoch = (await store.heads(())).epoch
        return cls(store, Appender(store, publisher, epoch=epoch))

    async def append_many(
        self, items: Sequence[DeltaAppend], *, trace: TraceContext | None = None
    ) -> tuple[AppendVerdict, ...]:
        """Verdicts in order. Raises ValidationFailed, TooManyRequests, Unavailable."""
        if len(items) > limits.APPEND_FLIGHT_ITEMS_MAX:
            message = f"at most {limits.APPEND_FLIGHT_ITEMS_MAX} deltas at once"
            raise ValidationFailed(message)
        admitted = [deltas.admitted(item) for item in items]
        return await self._appender.append(admitted, trace=trace)

    async def read(self, wanted: Read) -> Page | None:
        """One complete page in position order; None for an unknown or foreign session."""
        return await reading.read(self._store, wanted)

    async def list_events(self, session_id: UUID, org_id: UUID, wanted: EventFilter) -> Listed:
        """Events by filters, with the number of all matches."""
        return await listing.list_events(self._store, session_id, org_id, wanted)

    async def heads(self, sessions: Sequence[UUID]) -> Epoch:
        """Heads in the order asked, None for unknown sessions, and the store's epoch."""
        return await reading.heads(self._store, sessions)

    async def verify(self, session_id: UUID) -> Verified:
        """Recomputes the hash chain."""
        return await verify.verify(self._store, session_id)

    async def upkeep(self) -> upkeep.Upkept:
        """One bounded upkeep."""
        return await upkeep.upkeep(self._store)

    async def ping(self) -> None:
        """Raises Unavailable where the store does not answer."""
        await self._store.ping()

    async def drain(self) -> None:
        """Returns when every delta taken in is committed or has failed."""
        await self._appender.drain()
