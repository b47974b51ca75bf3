"""The W3C trace context as a value, and the one that belongs to the running code.

It lives in the kernel because gRPC metadata, NATS headers, task rows and telemetry all carry it and
none of them may import another.
"""

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import Final, NamedTuple, Self
from uuid import UUID

from mainspring_kernel.draws import Draws

TRACEPARENT: Final = "traceparent"
"""The name of the header, the metadata key and the bus header."""

_PATTERN: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1
_TRACE_LOW_BITS: Final = 64
_PARSED_MAX: Final = 1024


class TraceContext(NamedTuple):
    """A trace, the span that new work hangs under, and whether the trace is recorded."""

    trace_id: int
    span_id: int
    sampled: bool

    def format(self) -> str:
        """As the value of a `traceparent` header."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.sampled:02x}"

    def under(self, span_id: int) -> Self:
        """The same trace, with another span to hang new work under."""
        return self._replace(span_id=span_id)

    @property
    def trace_hex(self) -> str:
        """The trace id in 32 hex digits."""
        return f"{self.trace_id:032x}"

    @property
    def span_hex(self) -> str:
        """The span id in 16 hex digits."""
        return f"{self.span_id:016x}"

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The context in a `traceparent`; None where it is absent or not valid.

        By the specification a broken header is no error: the receiver starts a trace of its own.
        """
        parts = _parsed(text) if text else None
        return None if parts is None else cls(*parts)


@lru_cache(maxsize=_PARSED_MAX)
def _parsed(text: str) -> tuple[int, int, bool] | None:
    """Kept for a while: every step of a turn carries the same few."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    trace_id, span_id = int(trace, 16), int(span, 16)
    if version == "ff" or (version == "00" and more) or not trace_id or not span_id:
        return None
    return trace_id, span_id, bool(int(flags, 16) & _SAMPLED)


def new_trace(draws: Draws, ratio: float) -> TraceContext:
    """A fresh trace, sampled with probability `ratio`, decided once by the trace id's low bits.

    Its span id is the root span's own.
    """
    trace_id = draws.bits(128) or 1
    low = trace_id & (1 << _TRACE_LOW_BITS) - 1
    sampled = low < round(ratio * (1 << _TRACE_LOW_BITS))
    return TraceContext(trace_id, draws.bits(64) or 1, sampled)


def span_id_for(id_: UUID, n: int) -> int:
    """The span id of the n-th thing of `id_` (a task's attempt n, a turn as 0).

    Deterministic, so that the record of a span can be made after a crash, by another process, and
    still fit what others already hung under it.
    """
    digest = hashlib.blake2b(id_.bytes + n.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


_current: ContextVar[TraceContext | None] = ContextVar("mainspring_trace", default=None)


def current_trace() -> TraceContext | None:
    """The context of the running code, as a server interceptor or `use_trace` set it."""
    return _current.get()


def enter_trace(context: TraceContext | None) -> "Token[TraceContext | None]":
    """Makes `context` the current one; what it returns goes to `leave_trace`."""
    return _current.set(context)


def leave_trace(token: "Token[TraceContext | None]") -> None:
    """Makes the one before current again."""
    _current.reset(token)


@contextmanager
def use_trace(context: TraceContext | None) -> Generator[None]:
    """Makes `context` the current one inside the block."""
    token = enter_trace(context)
    try:
        yield
    finally:
        leave_trace(token)
