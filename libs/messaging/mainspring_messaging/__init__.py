"""Connection, wake-ups and fan-out; the only importer of nats.

Everything on the bus is a hint or a copy of something committed. Losing all of it costs latency.
"""

from mainspring_messaging.bus import Bus, Callback, Message, Signal, SignalKind, Subscription
from mainspring_messaging.memory import MemoryBus
from mainspring_messaging.natsbus import NatsBus

__all__ = [
    "Bus",
    "Callback",
    "MemoryBus",
    "Message",
    "NatsBus",
    "Signal",
    "SignalKind",
    "Subscription",
]
