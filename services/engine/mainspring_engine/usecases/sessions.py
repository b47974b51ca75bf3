"""What this engine remembers of sessions, so that a commit needs no read first.

Only a cache: whatever it says is compared under the head's lock.
"""

from collections import OrderedDict, deque
from uuid import UUID

from mainspring_engine.domain.limits import HEAD_CACHE_ENTRIES_MAX, TAIL_BYTES_MAX, TAIL_EVENTS_MAX
from mainspring_engine.domain.rows import Head, View
from mainspring_schema.events import StoredEvent


class Remembered:
    """A session's present, its newest events, and the worker that knows them best."""

    __slots__ = ("events", "sent", "size", "view", "worker")

    def __init__(self, view: View) -> None:
        self.view = view
        self.events: deque[StoredEvent] = deque()
        self.size = 0
        self.worker: UUID | None = None
        self.sent = 0

    def append(self, events: tuple[StoredEvent, ...]) -> None:
        for event in events:
            self.events.append(event)
            self.size += len(event.payload)
        while len(self.events) > TAIL_EVENTS_MAX or self.size > TAIL_BYTES_MAX:
            self.size -= len(self.events.popleft().payload)

    def tail_for(self, worker: UUID) -> tuple[StoredEvent, ...]:
        """The newest events that this worker may not know yet; it reads what is missing before."""
        known = self.sent if worker == self.worker else 0
        tail = tuple(event for event in self.events if event.seq > known)
        self.worker = worker
        if self.events:
            self.sent = self.events[-1].seq
        return tail


class Sessions:
    """Bounded, least recently used first out."""

    def __init__(self, entries_max: int = HEAD_CACHE_ENTRIES_MAX) -> None:
        self._entries: OrderedDict[UUID, Remembered] = OrderedDict()
        self._entries_max = entries_max

    def get(self, session_id: UUID) -> Remembered | None:
        entry = self._entries.get(session_id)
        if entry is not None:
            self._entries.move_to_end(session_id)
        return entry

    def put(self, session_id: UUID, view: View) -> None:
        """What was read: the events before it are not known here."""
        self._entries[session_id] = Remembered(view)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def advance(
        self, session_id: UUID, before: Head, view: View, events: tuple[StoredEvent, ...]
    ) -> None:
        """What was committed on top of `before`."""
        entry = self.get(session_id)
        head = None if entry is None else entry.view.head
        if entry is None or head is None or head.last_seq != before.last_seq:
            self.put(session_id, view)
            entry = self._entries[session_id]
        entry.view = view
        entry.append(events)

    def note_worker(self, session_id: UUID, worker: UUID) -> None:
        """Who got the newest go of a workflow: it may keep the code where it waits."""
        entry = self._entries.get(session_id)
        if entry is not None:
            entry.worker = worker

    def forget(self, session_id: UUID) -> None:
        self._entries.pop(session_id, None)
