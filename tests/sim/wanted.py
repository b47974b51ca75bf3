"""What somebody wants done, and what must come of it. Pure: for the simulation and for chaos."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from tests.sim.programs import TOO_LATE, Token, token_of

FORKED_AT: Final = "2"
"""The second step of an errand or a chart, the first that its fork does anew."""


class Order(Struct, kw_only=True):
    """A program that somebody wants done, and what they were told of it."""

    key: str
    program: str
    arguments: list[object]
    needs: tuple[str, ...] = ()
    """Keys."""
    letters: int = 0
    cancels: bool = False
    forks: bool = False
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
    }  # fmt: skip
    program = draws.choice((*known, "errand", "family", "chart"))
    return Order(
        key=key,
        program=program,
        needs=needs,
        arguments=[key, *known[program]],
        letters={"letterbox": letters, "patience": 1, "race": 1}.get(program, 0),
        cancels=draws.random() < (0.8 if program == "booking" else 0.2),
        forks=program in {"errand", "chart"} and draws.random() < 0.5,
    )


# ── what must come of it ────────────────────────────────────────────────────────────────────────


class Book(Struct, frozen=True, kw_only=True):
    """What else is known of tokens: that which the engine recorded, and how many were made."""

    recorded: Callable[[Token], Token | None]
    made: Callable[[Token], int]


def misfits(order: Order, outcome: str, result: object, book: Book) -> Iterator[str]:
    """`outcome` is a workflow's status, `result` its result or the flaw."""
    if outcome == "cancelled" and order.cancels:
        return
    wanted = "failed" if order.program == "hopeless" else "completed"
    if outcome != wanted:
        yield f"{order.key} ({order.program}) ended {outcome}: {result!r}"
    elif outcome == "completed":
        yield from _came_to(order, listed(result), book)


def _came_to(order: Order, result: list[object], book: Book) -> Iterator[str]:
    if order.program == "letterbox":
        if result != list(range(order.letters)):
            yield f"no lost signal: {order.key} got letters {result}"
        return
    if order.program in {"patience", "race"} and result.pop(0) not in (0, TOO_LATE):
        yield f"{order.key} waited for a letter and got something else"
    yield from _tokens(order, result, book)


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
    if forked[0] != result[0] or set(forked[1:]) & set(result[1:]):
        yield f"the fork of {order.key} came to {forked}, and its source to {result}"


def steps_of(order: Order) -> list[tuple[str, int]]:
    """Whose tokens the result holds, in their order."""
    key, first = order.key, order.arguments[1] if len(order.arguments) > 1 else 0
    count = first if isinstance(first, int) else 0
    match order.program:
        case "errand":
            return [(key, n) for n in range(count + 1)]
        case "crowd" | "hurry":
            return [(key, n) for n in range(count)]
        case "rounds":
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
