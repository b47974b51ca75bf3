"""Event listeners: plug-ins that receive every committed event and can harm nobody.

Each listener lives in a thread of its own behind its own bounded queue. A slow one loses events,
which is counted; a failing one is logged; one that blocks for ever keeps only its own thread.
Packages offer listeners by the entry point group `mainspring.event_listeners`.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol
from uuid import UUID

import msgspec

from mainspring_kernel import limits
from mainspring_runtime import names
from mainspring_runtime.lifecycle import Service
from mainspring_runtime.metrics import Metrics
from mainspring_schema.events import StoredEvent

GROUP: Final = "mainspring.event_listeners"
_log = logging.getLogger(__name__)


class CommittedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event after its commit, with what its row does not repeat."""

    org_id: UUID
    session_id: UUID
    event: StoredEvent


class EventListener(Protocol):
    """What a plug-in offers."""

    @property
    def name(self) -> str:
        """Unique among listeners; stands in logs and metrics."""
        ...

    @property
    def event_types(self) -> frozenset[str] | None:
        """The types it wants; None for all."""
        ...

    def on_event(self, batch: Sequence[CommittedEvent]) -> None:
        """Events in commit order per session, on the listener's own thread. May block."""
        ...


Factory = Callable[[Metrics], EventListener]
"""What an entry point names: a listener's class, or a function that makes one."""


class ListenerThread:
    """One listener with its queue and its thread."""

    def __init__(
        self,
        listener: EventListener,
        metrics: Metrics,
        *,
        queue_max: int = limits.LISTENER_QUEUE_EVENTS_MAX,
    ) -> None:
        self.listener = listener
        self.dropped = 0
        self.failed = 0
        self._types = listener.event_types
        self._metrics = metrics
        self._queue: deque[CommittedEvent] = deque()
        self._queue_max = queue_max
        self._changed = threading.Condition()
        self._busy = False
        self._stopping = False
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, name=f"listener-{listener.name}", daemon=True
        )
        self._thread.start()

    def offer(self, events: Sequence[CommittedEvent]) -> None:
        """Queues what the listener wants; drops and counts what does not fit.

        Never waits long: the lock is held for appending alone.
        """
        types = self._types
        wanted = events if types is None else [each for each in events if each.event.type in types]
        if not wanted:
            return
        with self._changed:
            room = self._queue_max - len(self._queue)
            self._queue.extend(wanted[:room])
            self._changed.notify()
        missed = len(wanted) - room
        if missed > 0:
            self.dropped += missed
            self._metrics.add(
                names.LISTENER_DROPPED, missed, {names.LISTENER_NAME: self.listener.name}
            )

    def drained(self, timeout_s: float) -> bool:
        """Waits until the listener has had everything; False where it did not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def stop(self) -> None:
        """Lets the thread end after its present batch. Safe twice."""
        self._ended.set()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _serve(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                self.listener.on_event(batch)
            except (Exception, SystemExit):  # noqa: BLE001 - a plug-in's failure is its own; logged and counted
                self._note_failure(len(batch))
            with self._changed:
                self._busy = False
                self._changed.notify_all()
            # This thread and the service's own take turns at the interpreter, and what rests here
            # delays nobody: a busy service is interrupted seldom, with more at a time.
            self._ended.wait(limits.LISTENER_REST_S)

    def _next_batch(self) -> list[CommittedEvent] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            if self._stopping:
                return None
            count = min(len(self._queue), limits.LISTENER_BATCH_EVENTS_MAX)
            self._busy = True
            return [self._queue.popleft() for _ in range(count)]

    def _note_failure(self, count: int) -> None:
        self.failed += 1
        self._metrics.add(names.LISTENER_FAILED, 1, {names.LISTENER_NAME: self.listener.name})
        # One line for the first of each doubling: a listener that always fails must not fill disks.
        if self.failed & (self.failed - 1) == 0:
            _log.exception(
                "listener %s failed on %d events (failure %d)",
                self.listener.name,
                count,
                self.failed,
            )


class Listeners:
    """All listeners of a process."""

    def __init__(self, threads: Sequence[ListenerThread]) -> None:
        self._threads = tuple(threads)

    @classmethod
    def load(cls, metrics: Metrics) -> "Listeners":
        """Those of the installed packages. One that cannot be made is logged and left out."""
        made = [_make(entry, metrics) for entry in entry_points(group=GROUP)]
        return cls([ListenerThread(each, metrics) for each in made if each is not None])

    @classmethod
    def of(cls, service: Service) -> "Listeners":
        """As `load`, for as long as the service lives."""
        listeners = cls.load(service.telemetry.metrics)
        service.stack.callback(listeners.close)
        return listeners

    @property
    def names(self) -> tuple[str, ...]:
        """Of the listeners, for the log at start."""
        return tuple(thread.listener.name for thread in self._threads)

    def publish(self, events: Sequence[CommittedEvent]) -> None:
        """Hands committed events on. Never raises, never waits for a listener."""
        for thread in self._threads:
            thread.offer(events)

    def close(self, *, grace_s: float = 1.0) -> None:
        """Gives each listener a moment for what it holds, then ends. Safe twice."""
        for thread in self._threads:
            thread.drained(grace_s)
            thread.stop()


def _make(entry: EntryPoint, metrics: Metrics) -> EventListener | None:
    try:
        factory: Factory = entry.load()  # pyright: ignore[reportAny] -- a plug-in; used below
        return factory(metrics)
    except Exception:  # noqa: BLE001 - a broken plug-in must not keep a service from starting
        _log.exception("event listener %s cannot be loaded", entry.name)
        return None
