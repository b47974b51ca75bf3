"""Secrets as they are kept: their names may be read, their values never again."""

from typing import ClassVar

from msgspec import Struct

from mainspring_api.domain.records import Record


class Sealed(Struct, frozen=True, kw_only=True):
    """A secret under a key of its own, and that key under one of the house.

    Both begin with their nonce. `key_id` says which of the house's keys it is.
    """

    key_id: str
    wrapped: bytes
    data: bytes

    def __repr__(self) -> str:
        """Without what is sealed: it would fill a log for nothing."""
        return f"Sealed(key_id={self.key_id!r})"


class SessionSecret(Record, frozen=True, kw_only=True):
    """Its owner is the session, its key the name."""

    kind: ClassVar[str] = "session_secret"

    sealed: Sealed


class SessionValue(Record, frozen=True, kw_only=True):
    """What an agent stored in its session, in the open; its owner is the session."""

    kind: ClassVar[str] = "session_value"
    by_time: ClassVar[bool] = True

    value: str


class Connection(Record, frozen=True, kw_only=True):
    """What a third party gave to an organization's people; its key is the third party's name."""

    kind: ClassVar[str] = "connection"

    sealed: Sealed


def about(record: Record) -> str:
    """What a secret is bound to: moved to another row, it does not open."""
    return f"{record.org_id}/{record.kind}/{record.id}"
