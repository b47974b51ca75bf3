"""The functions that the event store grants, for stores that live in one process with it.

In Postgres the engine's own statement calls them; the memory twin calls this port. It is structural
on purpose: the event store's twin implements it, and no service imports another.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from mainspring_schema.grants import Anchor, AppendEvent, AppendHead, Head


class GrantedLog(Protocol):
    """Every method is all or nothing: it raises a MainspringError before it changes anything."""

    @property
    def epoch(self) -> int:
        """Of the store; positions of an older epoch are void."""
        ...

    def lock(self, sessions: Iterable[UUID]) -> list[Head]:
        """Heads sorted by id; unknown sessions are absent."""
        ...

    def open_empty(self, heads: Iterable[tuple[UUID, UUID]]) -> None:
        """Heads without events, given with their organization."""
        ...

    def append(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        """Moves the heads and appends their events."""
        ...

    def append_closing(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        """As append; once also on a closed head."""
        ...

    def pause(self, sessions: Iterable[UUID], *, paused: bool) -> None:
        """Sets or takes off the pause of heads."""
        ...

    def close(self, sessions: Iterable[tuple[UUID, UUID]]) -> list[tuple[UUID, bool]]:
        """Closes heads given with their organization."""
        ...
