"""The bus on core NATS: at most once, reconnecting for ever, never in anybody's way."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Final, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from mainspring_kernel import limits
from mainspring_kernel.addresses import nats_servers
from mainspring_kernel.tracing import TRACEPARENT, TraceContext
from mainspring_messaging.bus import Callback, Message, SignalKind, Watcher, Watchers
from mainspring_messaging.subjects import is_valid

_log = logging.getLogger(__name__)

_RECONNECT_WAIT_S: Final = 0.25
"""Between attempts: a restarted server is used again soon, a dead one costs little."""
_PING_INTERVAL_S: Final = 10
"""With two unanswered pings a frozen server is noticed in half a minute."""
_CANCEL_AGAIN_S: Final = 0.2
"""A task that ends at all has ended by then."""
_AWAY: Final = (nats.errors.Error, OSError, RuntimeError)
"""A RuntimeError is what uvloop says of a transport that is closed, and nats-py lets it through."""


class _Client(Client):
    """nats-py, whose reader fails of an answer that nobody waits for any more, and is deaf then."""

    @property
    def owed(self) -> int:
        """How many pings the server has not answered."""
        return len(cast("list[object]", self._pongs))

    def _connect_command(self) -> bytes:
        """A server that has no TLS, or somebody in its place, would be told the password."""
        server, info = self._current_server, cast("dict[str, object]", self._server_info)
        if server is not None and server.uri.scheme == "tls" and not info.get("tls_required"):
            message = "the server asks for no TLS, and its address begins with tls://"
            raise nats.errors.Error(message)
        return super()._connect_command()

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()


class NatsBusSubscription:
    """One listener; `live` is its counterpart on the present connection, if there is one."""

    def __init__(self, bus: "NatsBus", subject: str, callback: Callback) -> None:
        self.subject = subject
        self.live: NatsSubscription | None = None
        self._bus = bus
        self._callback = callback
        self._open = True

    async def unsubscribe(self) -> None:
        """No callback starts after this."""
        self._open = False
        live, self.live = self.live, None
        self._bus.forget(self)
        if live is not None:
            try:
                await live.unsubscribe()
            except _AWAY as error:
                # The connection is gone, and the subscription with it.
                _log.debug("unsubscribing from %s: %s", self.subject, error)

    async def deliver(self, msg: Msg) -> None:
        """What nats-py calls, in order."""
        if not self._open:
            return
        trace = TraceContext.parse(msg.headers.get(TRACEPARENT)) if msg.headers else None
        try:
            self._callback(Message(subject=msg.subject, data=msg.data, trace=trace))
        except Exception:  # noqa: BLE001 - a subscriber's bug must not end the others
            _log.exception("a callback for %s failed", self.subject)


class NatsBus:
    """A connection in the background, an outbox, and subscriptions that outlive connections."""

    def __init__(self, url: str, *, name: str) -> None:
        """`url` as `nats_servers` reads it. Raises ValueError."""
        self._servers = nats_servers(url)
        self._name = name
        self._where = self._servers.hosts
        self._why = "no answer"
        """What the newest attempt to connect came to."""
        self._told_away = False
        self._client: _Client | None = None
        self._subscriptions: dict[NatsBusSubscription, None] = {}
        self._watchers = Watchers()
        self._outbox: deque[tuple[str, bytes, TraceContext | None]] = deque()
        self._outbox_filled = asyncio.Event()
        self._outbox_empty = asyncio.Event()
        self._outbox_empty.set()
        self._up = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()
        """The present connection: closed, or of no use."""
        self._closing = False
        self.dropped = 0
        """Hints that were thrown away: no connection, a full outbox, or a payload NATS refuses."""

    async def start(self, *, wait_s: float = 2.0) -> None:
        """Connects. Returns when connected, or after `wait_s`, going on in the background."""
        self._spawn(self._stay_connected(), "nats-connection")
        self._spawn(self._write_outbox(), "nats-outbox")
        try:
            async with asyncio.timeout(wait_s):
                await self._up.wait()
        except TimeoutError:
            self._tell_away()

    @property
    def connected(self) -> bool:
        """Whether messages flow now."""
        return self._up.is_set()

    def publish(self, subject: str, data: bytes, *, trace: TraceContext | None = None) -> None:
        """Puts the hint into the outbox, or drops and counts it."""
        if (
            not self._up.is_set()
            or len(self._outbox) >= limits.BUS_OUTBOX_MESSAGES_MAX
            or not is_valid(subject, pattern=False)
        ):
            self.dropped += 1
            return
        self._outbox.append((subject, data, trace))
        self._outbox_empty.clear()
        self._outbox_filled.set()

    async def subscribe(self, subject: str, callback: Callback) -> NatsBusSubscription:
        """Listens to a subject. Raises ValueError for one that NATS would refuse."""
        if not is_valid(subject, pattern=True):
            message = f"no subject: {subject!r}"
            raise ValueError(message)
        subscription = NatsBusSubscription(self, subject, callback)
        self._subscriptions[subscription] = None
        await self._establish(subscription)
        return subscription

    async def flush(self, timeout_s: float) -> bool:
        """Waits for the outbox and one round trip to the server."""
        client = self._client
        if client is None or not self._up.is_set():
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await self._outbox_empty.wait()
                if client.owed >= limits.BUS_ROUND_TRIPS_MAX:
                    return False
                await client.flush()
        except (TimeoutError, *_AWAY):
            return False
        return True

    def watch(self, watcher: Watcher) -> None:
        """Tells `watcher` of every later signal."""
        self._watchers.add(watcher)

    async def close(self) -> None:
        """Sends what waits, for half a second at most, then ends."""
        if self._closing:
            return
        await self.flush(limits.BUS_FLUSH_TIMEOUT_S)
        self._closing = True
        self._up.clear()
        await _cancelled(self._tasks)
        await _end(self._client)

    def forget(self, subscription: NatsBusSubscription) -> None:
        """Takes a subscription out of those that every new connection gets."""
        self._subscriptions.pop(subscription, None)

    def _tell_away(self) -> None:
        text = "NATS at %s is away (%s); working without it, at the pace of the sweeps"
        _log.warning(text, self._where, self._why)
        self._told_away = True

    def _tell_back(self) -> None:
        if self._told_away:
            _log.info("NATS at %s is back", self._where)
        self._told_away = False

    # ── connection ──────────────────────────────────────────────────────────────────────────

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:  # pyright: ignore[reportPrivateUsage] -- typeshed's own name for it
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stay_connected(self) -> None:
        while not self._closing:
            client, self._gone = _Client(), asyncio.Event()
            try:
                await self._connect(client)
                self._client = client
                self._tell_back()
                await self._came_up()
                # nats-py reconnects by itself; where it gives up, or lost a transport without
                # noticing, we begin anew.
                await self._gone.wait()
            except _AWAY as error:
                _log.warning("NATS: %s", error)
            finally:
                self._went_down()
                await _end(client)
            await asyncio.sleep(_RECONNECT_WAIT_S)

    async def _connect(self, client: _Client) -> None:
        gone = self._gone

        async def on_closed() -> None:
            gone.set()

        async def on_disconnected() -> None:
            if self._client is client:
                self._went_down()

        async def on_reconnected() -> None:
            if self._client is client and not gone.is_set():
                self._up.set()
                self._tell_back()
                # Not awaited here: the flush needs the reader, which starts after this returns.
                self._spawn(self._announce(), "nats-announce")

        at = self._servers
        await client.connect(
            list(at.urls),
            user=at.user if at.password is not None else None,
            password=at.password,
            token=at.user if at.password is None else None,
            name=self._name,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType] -- slept on; a fraction works
            ping_interval=_PING_INTERVAL_S,
            connect_timeout=2,
            error_cb=self._on_error,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
        )

    async def _came_up(self) -> None:
        self._up.set()
        for subscription in tuple(self._subscriptions):
            subscription.live = None
            await self._establish(subscription)
        await self._announce()

    async def _announce(self) -> None:
        # Only when the server has seen the subscriptions does a resynchronisation miss nothing.
        await self.flush(limits.BUS_FLUSH_TIMEOUT_S)
        self._watchers.tell(SignalKind.CONNECTED)

    async def _establish(self, subscription: NatsBusSubscription) -> None:
        client = self._client
        if client is None or client.is_closed or subscription.live is not None:
            return
        try:
            subscription.live = await client.subscribe(
                subscription.subject,
                cb=subscription.deliver,
                pending_msgs_limit=limits.BUS_PENDING_MESSAGES_MAX,
                pending_bytes_limit=limits.BUS_PENDING_BYTES_MAX,
            )
        except _AWAY as error:
            _log.debug("subscribing to %s has to wait: %s", subscription.subject, error)
            self._failed(client, error)

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self.dropped += 1
            self._watchers.tell(SignalKind.OVERFLOWED, error.subject)
        else:
            self._why = str(error) or type(error).__name__
            _log.debug("NATS: %s", error)

    def _went_down(self) -> None:
        if self._up.is_set():
            self._up.clear()
            self.dropped += len(self._outbox)
            self._outbox.clear()
            self._outbox_empty.set()
            self._watchers.tell(SignalKind.DISCONNECTED)
            if not self._closing:
                self._why = "the connection was lost"
                self._tell_away()

    def _failed(self, client: Client, error: Exception) -> None:
        """Its flusher may have ended by the same error, and then nothing would leave any more."""
        if isinstance(error, RuntimeError) and self._client is client:
            self._gone.set()

    # ── outbox ──────────────────────────────────────────────────────────────────────────────

    async def _write_outbox(self) -> None:
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled.clear()
            while self._outbox:
                await self._write(*self._outbox.popleft())
            self._outbox_empty.set()

    async def _write(self, subject: str, data: bytes, trace: TraceContext | None) -> None:
        headers = {TRACEPARENT: trace.format()} if trace is not None else None
        client = self._client
        if client is None:
            return
        try:
            await client.publish(subject, data, headers=headers)
        except _AWAY as error:
            self.dropped += 1
            _log.debug("a hint on %s was dropped: %s", subject, error)
            self._failed(client, error)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Returns when all have ended.

    `wait_for` of Python 3.11 swallows a cancel that comes with what it waits for, and nats-py then
    goes on to connect for ever.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)


async def _end(client: Client | None) -> None:
    if client is None or client.is_closed:
        return
    try:
        async with asyncio.timeout(1):
            await client.close()
    except (TimeoutError, AssertionError, *_AWAY) as error:
        # An AssertionError where its connect did not get so far that there is anything to close.
        _log.debug("closing the connection to NATS: %s", error)
