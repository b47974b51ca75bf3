"""The bus as a port. Messages wake, tables decide."""

import logging
from collections.abc import Callable
from enum import Enum
from typing import Protocol

import msgspec

from mainspring_kernel.tracing import TraceContext

_log = logging.getLogger(__name__)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscriber gets."""

    subject: str
    data: bytes
    trace: TraceContext | None = None


class SignalKind(Enum):
    """What became of the connection."""

    CONNECTED = "connected"
    """The subscriptions stand, for the first time or again: what came before may be missed, so
    resynchronise now."""
    DISCONNECTED = "disconnected"
    """Nothing arrives until CONNECTED: poll faster."""
    OVERFLOWED = "overflowed"
    """Messages for `subject` were dropped because its subscriber is slow: resynchronise it."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Told to watchers, on the event loop."""

    kind: SignalKind
    subject: str | None = None


class Watchers:
    """Those who want signals. One that fails is logged and harms nobody."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def add(self, watcher: "Watcher") -> None:
        """Tells `watcher` of every later signal."""
        self._watchers.append(watcher)

    def tell(self, kind: SignalKind, subject: str | None = None) -> None:
        """Calls them all, in order."""
        for watcher in self._watchers:
            try:
                watcher(Signal(kind=kind, subject=subject))
            except Exception:  # noqa: BLE001 - foreign code on our connection's path; logged
                _log.exception("a watcher of the bus failed")


Callback = Callable[[Message], None]
"""Called on the event loop, in order per subscription; must not block. A failure is logged."""
Watcher = Callable[[Signal], None]


class Subscription(Protocol):
    """One subject that is listened to."""

    async def unsubscribe(self) -> None:
        """No callback starts after this. Safe twice."""
        ...


class Bus(Protocol):
    """Publishing hints and listening to them."""

    @property
    def connected(self) -> bool:
        """Whether messages flow now."""
        ...

    def publish(self, subject: str, data: bytes, *, trace: TraceContext | None = None) -> None:
        """Sends a hint. Never raises for the bus's sake and never waits.

        Without a connection, or with a full outbox, the hint is dropped and counted.
        """
        ...

    async def subscribe(self, subject: str, callback: Callback) -> Subscription:
        """Listens to a subject; `*` stands for one token, a last `>` for the rest.

        Works without a connection too: the subscription stands once there is one. Only after a
        `flush` that returned True are later messages sure to arrive.
        """
        ...

    async def flush(self, timeout_s: float) -> bool:
        """Waits until the server has seen what was published and subscribed before.

        False where it did not in time; go on without it then.
        """
        ...

    def watch(self, watcher: Watcher) -> None:
        """Tells `watcher` of every later signal."""
        ...

    async def close(self) -> None:
        """Sends what waits, for a moment, then ends. Safe twice."""
        ...
