"""Questions read, orders change; the class of each names its answer."""

from typing import Generic, TypeVar, cast, get_args

from msgspec import Struct

A = TypeVar("A")


class Question(Struct, Generic[A], frozen=True, kw_only=True):
    """Reads, answered by an `A`."""


class Order(Struct, Generic[A], frozen=True, kw_only=True):
    """Changes something, answered by an `A` once that is committed."""


def answer_type(asked: Question[A] | Order[A]) -> type[A]:
    """What the class of a question or an order names as its answer."""
    (base,) = cast("tuple[object]", type(asked).__orig_bases__)  # pyright: ignore[reportAttributeAccessIssue] -- every subclass of a generic has it
    (answer,) = cast("tuple[type[A]]", get_args(base))
    return answer
