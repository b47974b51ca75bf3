"""What operators ask of the engine, through api."""

from typing import Protocol, TypeVar

from mainspring_schema.asking import Order, Question

A = TypeVar("A")


class OperatorDoor(Protocol):
    """Each method raises what its question or order says, or Unavailable."""

    async def inspect(self, question: Question[A]) -> A:
        """Reads."""
        ...

    async def operate(self, order: Order[A]) -> A:
        """Changes something; what is answered is committed."""
        ...
