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


class SessionResources(Protocol):
    """The same for one call of a tool: its task, and keys that begin with that of the call."""

    async def ask(self, question: Question[A]) -> A:
        """Reads. Waits while nobody answers, as long as the call may last."""
        ...

    async def change(self, order: Order[A], *, part: str = "") -> A:
        """Changes once per call and `part`, in whatever attempt; waits as `ask` does."""
        ...

    async def recall(self, *, part: str = "") -> bytes | None:
        """The note of a change that an earlier attempt of this call made; None for none."""
        ...
