"""What somebody wants done, and what must come of it. Pure: for the simulation and for chaos."""

from collections.abc import Callable, Iterator
from itertools import takewhile
from random import Random
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from tests.sim.corners import LETTER, REPLY, TOO_LATE
from tests.sim.programs import Token, token_of

FORKED_AT: Final = "2"
"""The second step of an errand or a chart, the first that its fork does anew."""
OVERDUE: Final = "timeout.schedule_to_close"
"""The code of what was stopped because its time was up."""
PATIENT: Final = frozenset({"letterbox", "serial", "pair", "lookout", "clockwork", "sieve"})
"""Programs that do not end before their letters came."""
ABSENT: Final = "unheard_of"
"""No worker knows it: it can only be too late to begin."""
NOT_BEGUN: Final = "timeout.schedule_to_start"
_LATE: Final = {"appointment": "timeout"}
"""Programs that may come too late, with which code."""
_IN_LINE: Final = frozenset({"errand", "rounds", "renewing"})
"""Programs that do one thing after the other."""
_FAILING: Final = {
    "hopeless": "refused", "quarrel": "refused", "doomed": "refused", ABSENT: NOT_BEGUN,
}  # fmt: skip
"""Programs that fail, with which code."""


class Order(Struct, kw_only=True):
    """A program that somebody wants done, and what they were told of it."""

    key: str
    program: str
    arguments: list[object]
    needs: tuple[str, ...] = ()
    """Keys."""
    letters: int = 0
    cancels: bool = False
    forced: bool = False
    """Whoever cancels it does not wait for what it gives back."""
    forks: bool = False
    forks_early: bool = False
    """While it is under way, with all that it has done so far."""
    close_ms: int | None = None
    """It is stopped when so much time has passed."""
    start_ms: int | None = None
    """It is not begun any more when so much time has passed."""
    build: str = ""
    """Only workers of that build may do it."""
    workflow_id: UUID | None = None
    fork_id: UUID | None = None
    settled: bool = False
    """They want nothing more of it."""


def drawn(draws: Random, key: str, needs: tuple[str, ...] = ()) -> Order:
    """Any program, with arguments that make it short."""
    doze_s = draws.choice((0.3, 2.0, 8.0))
    letters = draws.choice((1, 3))
    known: dict[str, list[object]] = {
        "errand": [2, doze_s], "family": [2], "chart": [], "letterbox": [letters],
        "patience": [doze_s], "race": [doze_s], "booking": [doze_s],
        "crowd": [letters + 1], "hurry": [3], "rounds": [2, []],
        "hopeless": [], "household": [f"{key}.{child}" for child in (0, 1, "d")],
        "serial": [letters, []], "pair": [letters], "lookout": [doze_s / 4], "clockwork": [],
        "forgiving": [], "quarrel": [], "renewing": [1, []], "doomed": [f"{key}.0"], "ascent": [3],
        "appointment": [],
        "sieve": [letters, []], "caravan": [],
    }  # fmt: skip
    program = draws.choice((*known, "errand", "family", "chart"))
    return Order(
        key=key,
        program=program,
        needs=needs,
        arguments=[key, *known[program]],
        letters={
            "letterbox": letters,
            "serial": letters,
            "sieve": letters,
            "pair": 2 * letters,
            "patience": 1,
            "race": 1,
            "lookout": 1,
            "clockwork": 1,
            "appointment": 1,
        }.get(program, 0),
        cancels=draws.random() < {"booking": 0.8, "caravan": 1.0}.get(program, 0.2),
        forks=program in {"errand", "chart"} and draws.random() < 0.5,
    )


def letter(order: Order, number: int) -> tuple[str, int]:
    """The name and the payload of one that somebody writes to it."""
    if order.program == "pair":
        return (REPLY if number % 2 else LETTER), number // 2
    return LETTER, number


# ── what must come of it ────────────────────────────────────────────────────────────────────────


class Book(Struct, frozen=True, kw_only=True):
    """What else is known of tokens: that which the engine recorded, and how many were made."""

    recorded: Callable[[Token], Token | None]
    made: Callable[[Token], int]


def misfits(order: Order, outcome: str, result: object, book: Book) -> Iterator[str]:
    """`outcome` is a workflow's status, `result` its result or the flaw."""
    if outcome == "cancelled" and order.cancels:
        return
    code = _FAILING.get(order.program)
    if outcome == "failed" and code_of(result) in (code, _LATE.get(order.program)):
        return
    if outcome != "completed" or code is not None:
        yield f"{order.key} ({order.program}) ended {outcome}: {result!r}"
    else:
        yield from _came_to(order, listed(result), book)


class _Coded(Struct):
    code: str = ""


def code_of(flaw: object) -> str:
    """Of a flaw as the engine has it, or as the api tells it."""
    if not flaw or isinstance(flaw, list):
        return ""  # it came to a result
    return msgspec.convert(flaw, _Coded, from_attributes=True).code


def _came_to(order: Order, result: list[object], book: Book) -> Iterator[str]:
    if order.program in {"letterbox", "serial", "sieve"}:
        if result != list(range(order.letters)):
            yield f"no lost signal: {order.key} got letters {result}"
        return
    told = _TOLD.get(order.program, lambda _: [])(order.letters)
    if result[: len(told)] != told:
        yield f"{order.key} ({order.program}) was told {result}"
        return
    del result[: len(told)]
    if order.program in {"patience", "race"} and result.pop(0) not in (0, TOO_LATE):
        yield f"{order.key} waited for a letter and got something else"
    yield from _tokens(order, result, book)


_TICKS: Final = 3
"""Marks of a clockwork."""
_TOLD: Final[dict[str, Callable[[int], list[object]]]] = {
    "pair": lambda letters: [*range(letters // 2)] * 2,
    "lookout": lambda _: [0],
    "appointment": lambda _: [0],
    "clockwork": lambda _: [0],
    "forgiving": lambda _: ["refused", "timeout", TOO_LATE],
}
"""What stands in a result before the tokens."""


def _tokens(order: Order, result: list[object], book: Book) -> Iterator[str]:
    """Its result is made of what was recorded, step by step."""
    tokens = [token_of(text) for text in result]
    if [token and token[:2] for token in tokens] != steps_of(order):
        yield f"{order.key} ({order.program}) came to {result}"
    for token in tokens:
        if token is None:
            continue
        kept = book.recorded(token) or token
        if kept != token:
            yield f"I12 {order.key}: {token} came of what is recorded as {kept}"
        if token.nth > book.made(token):
            yield f"{order.key}: nobody made {token}"


def fork_misfits(order: Order, result: list[object], forked: list[object]) -> Iterator[str]:
    """A fork keeps what stands before its first step, and does the rest anew."""
    kept = 1
    if order.forks_early and order.program not in _IN_LINE:
        return  # of what was side by side any may have been done
    if order.forks_early:
        same = (one == other for one, other in zip(result, forked, strict=True))
        kept = sum(1 for _ in takewhile(bool, same))
    if forked[:kept] != result[:kept] or set(forked[kept:]) & set(result[kept:]):
        yield f"the fork of {order.key} came to {forked}, and its source to {result}"


def steps_of(order: Order) -> list[tuple[str, int]]:
    """Whose tokens the result holds, in their order."""
    key, first = order.key, order.arguments[1] if len(order.arguments) > 1 else 0
    count = first if isinstance(first, int) else 0
    match order.program:
        case "errand":
            return [(key, n) for n in range(count + 1)]
        case "crowd" | "hurry" | "clockwork":
            return [(key, n) for n in range(count or _TICKS)]
        case "ascent":
            return [(place, n) for place in (key, f"{key}.far") for n in range(count)]
        case "rounds" | "renewing":
            return [(key, n) for n in range(count, -1, -1)]
        case "family":
            return [(f"{key}.{child}", n) for child in range(count) for n in range(2)]
        case "chart":
            return [(key, n) for n in range(4)]
        case "household":
            grown = [(f"{key}.0", n) for n in range(2)]
            return [(key, 0), *grown, *((f"{key}.1", n) for n in range(4)), (key, 1)]
        case _:
            return [(key, 0)]


def listed(result: object) -> list[object]:
    """With what children came to among it, not as lists of their own."""
    members = msgspec.convert(result, list[object])
    return [one for it in members for one in (listed(it) if isinstance(it, list) else (it,))]  # pyright: ignore[reportUnknownArgumentType] -- converted again
