"""What one connection may hold, each with its reason."""

from typing import Final

from mainspring_kernel import limits

FRAME_BYTES_MAX: Final = 256 * limits.KIB
"""One frame that is read: few heads for large messages, and no frame holds up others for long."""
WINDOW_BYTES: Final = 256 * limits.KIB
"""What of one call may lie unread before its sender must wait: a full frame."""
CONNECTION_WINDOW_BYTES: Final = 2**31 - 1
"""HTTP/2's most: calls are bounded one by one, so that none waits until another is read."""
CALL_HEADERS_BYTES_MAX: Final = 16 * limits.KIB
"""All headers of one call, twice what gRPC allows by default."""
CALLS_MAX: Final = 1_000
"""Open calls of one connection, whose callers wait for room. With their windows 250 MiB at worst;
calls of the house share requests, so that thousands of callers have a few."""
REPLIES_WAITING_MAX: Final = 1_000
"""Answers to pings and settings that a peer asks for and does not read: a flood."""
CONNECT_FIRST_S: Final = 0.5
"""The first attempt to connect, greeting included: behind one address there may be a frozen server
and one that is well, and the next attempt may find the other."""
CONNECT_MAX_S: Final = 5.0
"""Each attempt after one that failed may take twice as long, up to this."""
REPLICA_RETRY_MAX_S: Final = 30.0
"""The longest rest before a replica is tried again while others answer."""
DRAIN_PING_S: Final = 1.0
"""A peer that is told to go has this long to say that it read so; then it gets no more calls."""
FLUSH_S: Final = 1.0
"""What is written is given so long to leave before a connection is cut."""
