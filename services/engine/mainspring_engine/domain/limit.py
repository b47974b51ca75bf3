"""Limits per key: so many tasks at once, so many claims in a window. Pure.

A key is the model of a route, `queue:name`, or one that tasks were given. A limit whose key ends in
`*` is a family: it holds for every key that begins so, each by itself, unless the key has a limit
of its own. Limits hold tasks back; they never fail one.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_engine.domain.gate_limits import LIMIT_BURST_PART, LIMIT_HOLD_S
from mainspring_engine.domain.routes import Route


class KeyLimit(Struct, frozen=True, kw_only=True):
    """The shared row. Either part may be absent; `at_once` 0 pauses the key.

    `rate` claims in any window of `per_ms`: a bucket of `burst` tokens, one more every `every_ms`.
    `running` and `tokens` are how it stood when the board was read. `family` is the key of the row,
    where that is not this key's own.
    """

    key: str
    rev: int = 0
    at_once: int | None = None
    rate: int | None = None
    per_ms: int | None = None
    burst: int | None = None
    every_ms: float | None = None
    running: int = 0
    tokens: float = 0.0
    family: str = ""

    @property
    def used_up(self) -> bool:
        """Whether it lets nothing through now."""
        full = self.at_once is not None and self.running >= self.at_once
        return full or (self.rate is not None and self.tokens < 1)


def keys_of(route: Route) -> tuple[str, ...]:
    """All keys that may hold a task of this route."""
    queue = f"queue:{route.queue}"
    return (route.model, *route.keys, queue) if route.model else (*route.keys, queue)


_ALL: Final = "*"


def is_family(key: str) -> bool:
    return key.endswith(_ALL)


def stem_of(family: str) -> str:
    """What the keys of a family begin with."""
    return family.removesuffix(_ALL)


class Limits:
    """All limits by key. Of the families that a key belongs to the narrowest counts."""

    def __init__(self, limits: Iterable[KeyLimit] = ()) -> None:
        self._own = {limit.key: limit for limit in limits}
        families = [limit for limit in self._own.values() if is_family(limit.key)]
        self._families = sorted(families, key=lambda limit: -len(limit.key))

    def __bool__(self) -> bool:
        return bool(self._own)

    @property
    def families(self) -> bool:
        return bool(self._families)

    def of(self, key: str) -> KeyLimit | None:
        """The limit that a key is under."""
        own = self._own.get(key)
        if own is not None:
            return own
        for limit in self._families:
            if key.startswith(stem_of(limit.key)):
                return msgspec.structs.replace(limit, key=key, family=limit.key)
        return None


def with_rate(limit: KeyLimit, rate: int, per_ms: int) -> KeyLimit:
    """A bucket that never lets more than `rate` through in any window of `per_ms`.

    Engines may hold a token for LIMIT_HOLD_S before they use it, which makes the window longer by
    that. Of a full bucket at its start, burst + floor(window / every) tokens are used in it; so
    `every` is just above window / (rate - burst + 1).
    """
    burst = max(1, int(rate * LIMIT_BURST_PART))
    window_ms = per_ms + LIMIT_HOLD_S * 1000
    every_ms = window_ms / (rate - burst + 1) * (1 + 1e-9)
    return KeyLimit(
        key=limit.key,
        at_once=limit.at_once,
        rate=rate,
        per_ms=per_ms,
        burst=burst,
        every_ms=every_ms,
    )


class Hand:
    """The tokens of one key in one engine's hand. Times are monotonic seconds."""

    __slots__ = ("_drawn_at", "_tokens", "ask_at", "drawn_us")

    def __init__(self) -> None:
        self._tokens = 0
        self._drawn_at = 0.0
        self.drawn_us = 0
        """When they were drawn, by the store's time."""
        self.ask_at = 0.0
        """Before this the bucket has none."""

    @property
    def holds(self) -> bool:
        return self._tokens > 0

    def usable(self, now_s: float) -> int:
        return self._tokens if now_s - self._drawn_at <= LIMIT_HOLD_S else 0

    def use(self, count: int) -> None:
        self._tokens -= count

    def give_back(self, count: int) -> None:
        """They were not used; they are as old as the others."""
        self._tokens += count

    def empty(self) -> int:
        """Takes out what is left; it goes back into the bucket."""
        left, self._tokens = self._tokens, 0
        return left

    def drawn(
        self, tokens: int, *, drawn_us: int, asked_at_s: float, wait_ms: int, now_s: float
    ) -> None:
        """A draw came back. Its tokens are as old as the request.

        Where that took longer than they may be held they can be used all the same, or nothing would
        pass: a window is then longer by the time that the store takes.
        """
        self.drawn_us = min(self.drawn_us, drawn_us) if self._tokens else drawn_us
        self._tokens += tokens
        self._drawn_at = max(asked_at_s, now_s - LIMIT_HOLD_S / 2)
        self.ask_at = now_s + wait_ms / 1000
