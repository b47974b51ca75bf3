"""Limits: how much a bucket lets through, and what an engine does with the tokens in its hand."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring_engine.adapters.memory import MemoryGates
from mainspring_engine.adapters.memory.tables import Tables
from mainspring_engine.domain.gate_limits import (
    LIMIT_DRAW_KEYS_MAX,
    LIMIT_DRAW_TOKENS_MAX,
    LIMIT_HOLD_S,
)
from mainspring_engine.domain.limit import KeyLimit, keys_of, with_rate
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.gates import Drawn, TokenDraw
from mainspring_engine.usecases.limiter import Limiter
from mainspring_kernel.clock import ManualClock

KEY = "provider/model"
ROUTE = Route(model=KEY)


def rated(rate: int, per_s: float = 60.0) -> KeyLimit:
    return with_rate(KeyLimit(key=KEY), rate, round(per_s * 1000))


# ── the bucket ──────────────────────────────────────────────────────────────────────────────────


@given(
    rate=st.integers(1, 40),
    per_ms=st.integers(1, 20_000),
    pauses_ms=st.lists(st.integers(0, 4_000), min_size=1, max_size=60),
    holds_ms=st.lists(st.integers(0, round(LIMIT_HOLD_S * 1000)), min_size=60, max_size=60),
    wanted=st.integers(1, 40),
)
def test_no_window_ever_holds_more_than_the_rate(
    rate: int, per_ms: int, pauses_ms: list[int], holds_ms: list[int], wanted: int
) -> None:
    used_ms: list[int] = []

    async def use() -> None:
        clock = ManualClock()
        gates = MemoryGates(Tables(), lock=threading.RLock(), clock=clock)
        await gates.set_limit(with_rate(KeyLimit(key=KEY), rate, per_ms))
        for pause_ms, hold_ms in zip(pauses_ms, holds_ms, strict=False):
            (drawn,) = await gates.draw_tokens((TokenDraw(key=KEY, wanted=wanted),))
            used_ms.extend([clock.wall_ms() + hold_ms] * drawn.granted)
            clock.advance(pause_ms / 1000)

    asyncio.run(use())

    used_ms.sort()
    for n, at in enumerate(used_ms):
        assert sum(at <= other <= at + per_ms for other in used_ms[n:]) <= rate


@pytest.mark.parametrize(("rate", "per_ms"), [(1, 1_000), (2, 700), (40, 5_000), (600, 60_000)])
async def test_what_is_held_as_long_as_may_be_meets_no_more_than_the_rate_in_a_window(
    rate: int, per_ms: int
) -> None:
    clock = ManualClock()
    gates = MemoryGates(Tables(), lock=threading.RLock(), clock=clock)
    await gates.set_limit(with_rate(KeyLimit(key=KEY), rate, per_ms))
    granted = 0

    # The first ones are used where the last ones are drawn, one window behind.
    for _ in range(0, per_ms + round(LIMIT_HOLD_S * 1000), 10):
        (drawn,) = await gates.draw_tokens((TokenDraw(key=KEY, wanted=rate),))
        granted += drawn.granted
        clock.advance(0.01)

    assert granted <= rate


@pytest.mark.parametrize(
    ("rate", "per_s", "part"), [(600, 60, 0.89), (60, 60, 0.9), (1, 60, 0.99), (10, 1, 0.79)]
)
def test_a_steady_demand_gets_most_of_the_rate(rate: int, per_s: float, part: float) -> None:
    limit = rated(rate, per_s)

    assert limit.every_ms is not None
    assert per_s * 1000 / limit.every_ms >= part * rate


def test_a_route_is_under_its_model_and_its_queue() -> None:
    assert keys_of(Route(queue="q", model="m")) == ("m", "queue:q")
    assert keys_of(Route(queue="q")) == ("queue:q",)


# ── in an engine's hand ─────────────────────────────────────────────────────────────────────────


class Hand:
    def __init__(self, *limits: KeyLimit) -> None:
        self.clock = ManualClock()
        self.asked = 0
        self.limiter = Limiter(clock=self.clock, demand=self._ask)
        self.limiter.replace(limits)

    def _ask(self) -> None:
        self.asked += 1

    def draw(self, granted: int, wait_ms: int = 0) -> tuple[TokenDraw, ...]:
        draws = self.limiter.draws()
        found = [
            Drawn(key=draw.key, granted=granted, wait_ms=wait_ms, drawn_us=self.asked)
            for draw in draws
        ]
        self.limiter.drawn(found, asked_at_s=self.clock.mono())
        return draws


def test_without_a_limit_everything_passes_and_nothing_is_asked() -> None:
    hand = Hand()

    assert hand.limiter.reserve(ROUTE, 50) == 50
    hand.limiter.unused(ROUTE, 50)

    assert (hand.asked, hand.limiter.draws(), hand.limiter.at_once(ROUTE)) == (0, (), ())


def test_the_first_task_waits_for_a_draw_and_the_slice_serves_the_next_ones() -> None:
    hand = Hand(rated(600))
    assert hand.limiter.reserve(ROUTE, 8) == 0

    draws = hand.draw(granted=8)

    assert draws == (TokenDraw(key=KEY, wanted=8, returned=0),)
    assert [hand.limiter.reserve(ROUTE, 3) for _ in range(3)] == [3, 3, 2]


def test_a_draw_is_bounded() -> None:
    hand = Hand(rated(600))

    hand.limiter.reserve(ROUTE, 10_000)

    assert hand.draw(granted=0)[0].wanted == LIMIT_DRAW_TOKENS_MAX


def test_tokens_that_were_held_too_long_are_not_used_and_go_back() -> None:
    hand = Hand(rated(600))
    hand.limiter.reserve(ROUTE, 5)
    hand.draw(granted=5)
    hand.limiter.reserve(ROUTE, 2)

    hand.clock.advance(LIMIT_HOLD_S * 2)
    hand.limiter.tidy()

    # With the time at which they were drawn, for they are worth less by now.
    assert hand.draw(granted=0) == (TokenDraw(key=KEY, wanted=0, returned=3, drawn_us=1),)
    assert hand.limiter.reserve(ROUTE, 1) == 0


def test_tokens_are_not_used_a_moment_longer_than_they_may_be_held() -> None:
    hand = Hand(rated(600))
    hand.limiter.reserve(ROUTE, 2)
    hand.draw(granted=2)

    hand.clock.advance(LIMIT_HOLD_S)
    assert hand.limiter.reserve(ROUTE, 1) == 1
    hand.clock.advance(LIMIT_HOLD_S / 100)

    assert hand.limiter.reserve(ROUTE, 1) == 0


def test_a_slow_store_slows_what_is_limited_and_does_not_stop_it() -> None:
    clock = ManualClock()
    limiter = Limiter(clock=clock, demand=lambda: None)
    limiter.replace([rated(600)])
    limiter.reserve(ROUTE, 1)
    (draw,), asked_at_s = limiter.draws(), clock.mono()

    clock.advance(2 * LIMIT_HOLD_S)
    drawn = Drawn(key=KEY, granted=draw.wanted, wait_ms=0, drawn_us=1)
    limiter.drawn([drawn], asked_at_s=asked_at_s)

    assert limiter.reserve(ROUTE, 1) == 1


def test_what_was_not_used_serves_the_next() -> None:
    hand = Hand(rated(600))
    hand.limiter.reserve(ROUTE, 4)
    hand.draw(granted=4)
    hand.limiter.reserve(ROUTE, 4)

    hand.limiter.unused(ROUTE, 3)

    assert hand.limiter.reserve(ROUTE, 4) == 3


def test_an_empty_bucket_is_asked_again_when_it_may_have_a_token_and_not_before() -> None:
    hand = Hand(rated(60))
    hand.limiter.reserve(ROUTE, 1)
    hand.draw(granted=0, wait_ms=900)
    hand.limiter.reserve(ROUTE, 1)
    assert hand.limiter.draws() == ()
    assert hand.limiter.wait_s() == pytest.approx(0.9)

    hand.clock.advance(0.9)

    assert [draw.wanted for draw in hand.limiter.draws()] == [1]


def test_the_poorest_of_several_limits_holds_and_no_token_is_lost() -> None:
    queue = with_rate(KeyLimit(key="queue:default"), 600, 60_000)
    hand = Hand(rated(600), queue)
    hand.limiter.reserve(ROUTE, 5)
    draws = hand.limiter.draws()
    hand.limiter.drawn(
        [Drawn(key=draw.key, granted=n, wait_ms=0) for n, draw in zip((5, 2), draws, strict=True)],
        asked_at_s=hand.clock.mono(),
    )

    assert hand.limiter.reserve(ROUTE, 5) == 2
    assert [draw.key for draw in hand.draw(granted=9)] == ["queue:default"]
    assert hand.limiter.reserve(ROUTE, 5) == 3


def test_each_key_of_a_family_has_a_hand_of_its_own_and_names_the_familys_limit() -> None:
    family = with_rate(KeyLimit(key="key/customer:*"), 600, 60_000)
    hand = Hand(family)
    routes = [Route(keys=(f"key/customer:{n}",)) for n in range(2)]
    for route in routes:
        assert hand.limiter.reserve(route, 2) == 0

    draws = hand.draw(granted=2)

    assert draws == tuple(
        TokenDraw(key=f"key/customer:{n}", wanted=2, family="key/customer:*") for n in range(2)
    )
    assert [hand.limiter.reserve(route, 2) for route in routes] == [2, 2]


def test_a_draw_takes_so_many_keys_and_the_next_one_the_others() -> None:
    hand = Hand(with_rate(KeyLimit(key="key/*"), 600, 60_000))
    for n in range(LIMIT_DRAW_KEYS_MAX + 3):
        hand.limiter.reserve(Route(keys=(f"key/{n}",)), 1)
    asked = hand.asked

    sizes = [len(hand.draw(granted=0)) for _ in range(2)]

    assert sizes == [LIMIT_DRAW_KEYS_MAX, 3]
    assert hand.asked == asked + 1


def test_a_limit_of_running_tasks_is_left_to_the_claim() -> None:
    hand = Hand(KeyLimit(key=KEY, at_once=3))

    assert hand.limiter.reserve(ROUTE, 9) == 9
    (limit,) = hand.limiter.at_once(ROUTE)
    assert (limit.route, limit.key, limit.at_once) == (ROUTE, KEY, 3)


def test_a_dropped_limit_lets_everything_through() -> None:
    hand = Hand(rated(1))
    assert hand.limiter.reserve(ROUTE, 2) == 0

    hand.limiter.replace(())

    assert hand.limiter.reserve(ROUTE, 2) == 2
