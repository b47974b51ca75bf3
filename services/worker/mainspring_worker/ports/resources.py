"""What a session has, for as long as its task is held: files first of all."""

from typing import Protocol, TypeVar

from mainspring_schema.asking import Order, Question
from mainspring_schema.frames import Held

A = TypeVar("A")


class Resources(Protocol):
    """Who keeps them: only for the holder of a task. `schema.holdings` says what there is to ask.

    Raises Unavailable or DeadlineExceeded where nobody answers, LeaseLost, or what the question or
    order says.
    """

    async def ask(self, held: Held, question: Question[A]) -> A:
        """Reads."""
        ...

    async def change(self, held: Held, order: Order[A], *, key: str) -> A:
        """Changes; the same `key` again changes nothing and gets the first answer."""
        ...
