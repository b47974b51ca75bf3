"""A declaration as the engine runs it: which step may begin, and what it is given. Pure."""

from collections.abc import Iterator
from typing import ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    ancestors_of,
    hash_of,
    read,
)

_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Unfit(Exception):
    """A value is not what the declaration says of it: there is no such member, or it is too long.

    No other attempt would fare better.
    """

    code: ClassVar[str] = "unfit_value"


class Chart:
    """A declaration that was read, with what is looked up in it all the time."""

    def __init__(self, raw: bytes) -> None:
        """Raises ValueError for what cannot be run."""
        self.raw = raw
        self.hash = hash_of(raw)
        self.declaration: Declaration = read(raw)
        self._ancestors = ancestors_of(self.declaration)
        self.everything: int = (1 << len(self.declaration.steps)) - 1
        self.starts_children: bool = any(
            step.wait is not None and step.wait.starts for step in self.declaration.steps
        )

    def step(self, number: int) -> DeclaredStep:
        return self.declaration.steps[number - 1]

    def find(self, number: int) -> DeclaredStep | None:
        return self.step(number) if number <= len(self.declaration.steps) else None

    def ancestors(self, number: int) -> int:
        """Bits of the steps that have finished before this one begins."""
        return self._ancestors[number - 1]

    def able(self, *, done: int, begun: int) -> Iterator[int]:
        """The steps that may begin, in their order. Both are bits, of the first step the lowest."""
        for index, ancestors in enumerate(self._ancestors):
            if not (done | begun) >> index & 1 and not ancestors & ~done:
                yield index + 1


class Recall(Protocol):
    """What is at hand of declared workflows. All of it is committed, and never changes."""

    def chart(self, digest: bytes) -> Chart | None: ...

    def is_kept(self, digest: bytes) -> bool:
        """Whether the store surely has the declaration."""
        ...

    def value(self, workflow_id: UUID, step: str) -> bytes | None:
        """The body of a step's record or result."""
        ...


class NoRecall:
    """Remembers nothing: all is read."""

    def chart(self, digest: bytes) -> Chart | None:
        del digest
        return None

    def is_kept(self, digest: bytes) -> bool:
        del digest
        return False

    def value(self, workflow_id: UUID, step: str) -> bytes | None:
        del workflow_id, step
        return None


def given(declaration: Declaration, raw: bytes) -> dict[str, bytes]:
    """The workflow's arguments by the name of their parameter, from the array or object of a start.

    Raises Unfit.
    """
    names = [parameter.name for parameter in declaration.parameters]
    found = {
        parameter.name: bytes(parameter.default)
        for parameter in declaration.parameters
        if parameter.optional
    }
    try:
        if raw.lstrip()[:1] == b"{":
            named = _MEMBERS.decode(raw)
        else:
            listed = _ITEMS.decode(raw)
            if len(listed) > len(names):
                message = f"{len(listed)} arguments were given, at most {len(names)} are taken"
                raise Unfit(message)
            named = dict(zip(names, listed, strict=False))
    except msgspec.DecodeError as error:
        message = "the input is no array and no object"
        raise Unfit(message) from error
    unknown = named.keys() - set(names)
    missing = set(names) - found.keys() - named.keys()
    if unknown or missing:
        message = f"no parameter {min(unknown)}" if unknown else f"{min(missing)} was not given"
        raise Unfit(message)
    return found | {name: bytes(value) for name, value in named.items()}
