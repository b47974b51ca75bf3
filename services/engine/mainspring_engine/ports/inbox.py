"""What is read of accepted messages, apart from decisions."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_schema.delivery import Delivery


class Known(Struct, frozen=True, kw_only=True):
    """What the store knew already of a message that came again."""

    message_id: UUID
    body_hash: bytes
    seq: int
    ts_ms: int
    turn_id: UUID


class InboxRows(Protocol):
    """Postgres and memory pass the same contract suite. Raises Unavailable."""

    async def delivery(self, org_id: UUID, session_id: UUID, message_id: UUID) -> Delivery | None:
        """A message of this organization: whether it waits, or which turn has it."""
        ...

    async def known(self, session_id: UUID, message_id: UUID, key: str | None) -> Known | None:
        """An accepted message with this id, or with this idempotency key."""
        ...

    async def waiting(self, org_id: UUID, session_id: UUID) -> tuple[Delivery, ...]:
        """Those that wait in a session, in the order in which turns will take them."""
        ...
