"""The bus inside one process: `dev`, the simulator, tests. Passes the suite of the real one."""

import asyncio
import logging
from collections import deque

from mainspring_kernel import limits
from mainspring_kernel.tracing import TraceContext
from mainspring_messaging.bus import Callback, Message, SignalKind, Watcher, Watchers
from mainspring_messaging.subjects import is_pattern, is_valid, matches

_log = logging.getLogger(__name__)


class MemorySubscription:
    """One listener with its own bounded queue, drained at the next turn of the loop."""

    def __init__(self, bus: "MemoryBus", subject: str, callback: Callback) -> None:
        self.subject = subject
        self._bus = bus
        self._callback = callback
        self._pending: deque[Message] = deque()
        self._open = True

    async def unsubscribe(self) -> None:
        """No callback starts after this."""
        self._open = False
        self._pending.clear()
        self._bus.forget(self)

    @property
    def idle(self) -> bool:
        """Whether everything was delivered."""
        return not self._pending

    def put(self, message: Message) -> bool:
        """Queues it for the next turn of the loop; False where the queue is full."""
        if len(self._pending) >= self._bus.pending_max:
            return False
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._drain)
        self._pending.append(message)
        return True

    def _drain(self) -> None:
        while self._open and self._pending:
            message = self._pending.popleft()
            try:
                self._callback(message)
            except Exception:  # noqa: BLE001 - a subscriber's bug must not end the others
                _log.exception("a callback for %s failed", self.subject)


class MemoryBus:
    """Subscriptions in dictionaries. `disconnect` and `reconnect` play the server's absence."""

    def __init__(self, *, pending_max: int = limits.BUS_PENDING_MESSAGES_MAX) -> None:
        self.pending_max = pending_max
        self.dropped = 0
        self._exact: dict[str, dict[MemorySubscription, None]] = {}
        self._patterns: dict[MemorySubscription, None] = {}
        self._watchers = Watchers()
        self._connected = True

    @property
    def connected(self) -> bool:
        """Whether messages flow now."""
        return self._connected

    def publish(self, subject: str, data: bytes, *, trace: TraceContext | None = None) -> None:
        """Queues the message for each matching subscription."""
        if not self._connected or not is_valid(subject, pattern=False):
            self.dropped += 1
            return
        message = Message(subject=subject, data=data, trace=trace)
        for subscription in self._listening(subject):
            if not subscription.put(message):
                self.dropped += 1
                self._watchers.tell(SignalKind.OVERFLOWED, subscription.subject)

    async def subscribe(self, subject: str, callback: Callback) -> MemorySubscription:
        """Listens to a subject. Raises ValueError for one that NATS would refuse."""
        if not is_valid(subject, pattern=True):
            message = f"no subject: {subject!r}"
            raise ValueError(message)
        subscription = MemorySubscription(self, subject, callback)
        if is_pattern(subject):
            self._patterns[subscription] = None
        else:
            self._exact.setdefault(subject, {})[subscription] = None
        return subscription

    async def flush(self, timeout_s: float) -> bool:
        """True: there is no server to wait for."""
        del timeout_s
        await asyncio.sleep(0)
        return self._connected

    def watch(self, watcher: Watcher) -> None:
        """Tells `watcher` of every later signal."""
        self._watchers.add(watcher)

    async def close(self) -> None:
        """Forgets all subscriptions."""
        self._connected = False
        for subscription in self._all():
            await subscription.unsubscribe()

    def disconnect(self) -> None:
        """From now on messages are lost, as with a dead server."""
        self._connected = False
        self._watchers.tell(SignalKind.DISCONNECTED)

    def reconnect(self) -> None:
        """Messages flow again; those between are gone."""
        self._connected = True
        self._watchers.tell(SignalKind.CONNECTED)

    def forget(self, subscription: MemorySubscription) -> None:
        """Takes a subscription out."""
        self._patterns.pop(subscription, None)
        listeners = self._exact.get(subscription.subject)
        if listeners is not None:
            listeners.pop(subscription, None)
            if not listeners:
                del self._exact[subscription.subject]

    def _listening(self, subject: str) -> list[MemorySubscription]:
        exact = self._exact.get(subject, {})
        return [*exact, *(each for each in self._patterns if matches(each.subject, subject))]

    def _all(self) -> list[MemorySubscription]:
        return [*self._patterns, *(each for some in self._exact.values() for each in some)]
