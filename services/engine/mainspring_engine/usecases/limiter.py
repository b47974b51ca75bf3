"""The limits as this engine knows them, and the tokens that it holds.

A limit of claims in a window is a bucket in the store. Tokens are drawn in slices, and only when a
task is about to need them; unused ones go back. A limit of running tasks is counted by the store in
the claim itself, so tasks under such a limit are never dispatched without a claim.
"""

from collections.abc import Callable, Iterable

from mainspring_engine.domain.gate_limits import LIMIT_DRAW_KEYS_MAX, LIMIT_DRAW_TOKENS_MAX
from mainspring_engine.domain.limit import Hand, KeyLimit, Limits, keys_of
from mainspring_engine.domain.limits import ROUTE_CACHE_ENTRIES_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.gates import Drawn, TokenDraw
from mainspring_engine.ports.store import ClaimLimit
from mainspring_kernel.clock import Clock


class Limiter:
    """Nothing here waits: `demand` is called when tokens are wanted."""

    def __init__(self, *, clock: Clock, demand: Callable[[], None]) -> None:
        self._clock = clock
        self._demand = demand
        self._limits = Limits()
        self._of_route: dict[Route, tuple[KeyLimit, ...]] = {}
        self._hands: dict[str, Hand] = {}
        self._wanted: dict[str, int] = {}

    def replace(self, limits: Iterable[KeyLimit]) -> None:
        """The whole board was read."""
        self._limits = Limits(limits)
        self._of_route.clear()
        self._hands = {key: hand for key, hand in self._hands.items() if self._limits.of(key)}

    def of(self, route: Route) -> tuple[KeyLimit, ...]:
        """The limits that a route is under; nothing is looked up while there are none at all."""
        if not self._limits:
            return ()
        found = self._of_route.get(route)
        if found is None:
            limits = (self._limits.of(key) for key in keys_of(route))
            found = tuple(limit for limit in limits if limit is not None)
            if len(self._of_route) >= ROUTE_CACHE_ENTRIES_MAX:
                self._of_route.clear()
            self._of_route[route] = found
        return found

    def known(self, key: str) -> KeyLimit | None:
        """The limit of a key as this engine has learned it."""
        return self._limits.of(key)

    @property
    def families(self) -> bool:
        """Whether there are limits of whole families, whose keys have buckets of their own."""
        return self._limits.families

    @property
    def holds(self) -> bool:
        """Whether it has tokens that nobody has used yet."""
        return any(hand.holds for hand in self._hands.values())

    @property
    def any(self) -> bool:
        """Whether there is any limit at all."""
        return bool(self._limits)

    def at_once(self, route: Route) -> tuple[ClaimLimit, ...]:
        """What the claim itself must count."""
        return tuple(
            ClaimLimit(route=route, key=limit.key, at_once=limit.at_once)
            for limit in self.of(route)
            if limit.at_once is not None
        )

    # ── tokens ──────────────────────────────────────────────────────────────────────────────────

    def reserve(self, route: Route, most: int) -> int:
        """Takes tokens for up to `most` tasks; asks for more where the hand has too few."""
        rated = [limit for limit in self.of(route) if limit.rate is not None]
        if not rated:
            return most
        now_s = self._clock.mono()
        room = min(self._usable(limit.key, most, now_s) for limit in rated)
        for limit in rated:
            self._hand(limit.key).use(room)
        return room

    def unused(self, route: Route, count: int) -> None:
        for limit in self.of(route):
            if limit.rate is not None:
                self._hand(limit.key).give_back(count)

    def _usable(self, key: str, most: int, now_s: float) -> int:
        hand = self._hand(key)
        usable = min(most, hand.usable(now_s))
        if usable < most:
            wanted = min(LIMIT_DRAW_TOKENS_MAX, most - usable)
            self._wanted[key] = max(wanted, self._wanted.get(key, 0))
            self._demand()
        return usable

    def _hand(self, key: str) -> Hand:
        return self._hands.setdefault(key, Hand())

    # ── draws ───────────────────────────────────────────────────────────────────────────────────

    def tidy(self) -> None:
        """Tokens that were held too long are to go back; an empty hand is as good as none."""
        now_s = self._clock.mono()
        for key, hand in tuple(self._hands.items()):
            if hand.holds and not hand.usable(now_s):
                self._wanted.setdefault(key, 0)
                self._demand()
            elif not hand.holds and now_s >= hand.ask_at:
                del self._hands[key]

    def draws(self) -> tuple[TokenDraw, ...]:
        """What to ask the store for, sorted by key; keys whose bucket is known to be empty wait."""
        now_s = self._clock.mono()
        due = [key for key in self._wanted if now_s >= self._hand(key).ask_at]
        if len(due) > LIMIT_DRAW_KEYS_MAX:
            self._demand()
        return tuple(self._draw(key) for key in sorted(due[:LIMIT_DRAW_KEYS_MAX]))

    def _draw(self, key: str) -> TokenDraw:
        limit, hand = self._limits.of(key), self._hand(key)
        return TokenDraw(
            key=key,
            wanted=self._wanted.pop(key),
            drawn_us=hand.drawn_us,
            returned=hand.empty(),
            family="" if limit is None else limit.family,
        )

    def drawn(self, found: Iterable[Drawn], *, asked_at_s: float) -> bool:
        """Whether any token came."""
        now_s = self._clock.mono()
        came = 0
        for one in found:
            self._hand(one.key).drawn(
                one.granted,
                drawn_us=one.drawn_us,
                asked_at_s=asked_at_s,
                wait_ms=one.wait_ms,
                now_s=now_s,
            )
            came += one.granted
        return came > 0

    def wait_s(self) -> float | None:
        """How long until a bucket that was empty may be asked again, where any is wanted."""
        now_s = self._clock.mono()
        waits = [self._hand(key).ask_at - now_s for key in self._wanted]
        return max(0.0, min(waits)) if waits else None

    def forget_due(self) -> None:
        """Buckets that may have a token again are wanted once more by whoever still needs one."""
        now_s = self._clock.mono()
        self._wanted = {
            key: count for key, count in self._wanted.items() if now_s < self._hand(key).ask_at
        }
