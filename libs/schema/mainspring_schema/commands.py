"""What api asks of the engine, and what it is told.

Carried as MessagePack inside the control proto.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.lineage import SpawnedBy
from mainspring_schema.messages import Message


def own_key(said_for: str) -> str:
    """The key of a message that is the house's own: clients' keys are printable, so none is it."""
    return f"\x01{said_for}"


class Submit(Struct, frozen=True, kw_only=True):
    """Bring one message into a session.

    `config` holds the bytes of the folded agent only where the engine may not know the hash yet.
    `body_hash` is the SHA-256 of the canonical request body, compared where `idempotency_key`
    repeats. `spawned_by` is the parent, of what a session says to a child of its own. `tags` are
    those of the message's event.
    """

    org_id: UUID
    session_id: UUID
    message_id: UUID
    message: Message
    mode: DeliveryMode
    config_hash: bytes
    config: bytes | None = None
    idempotency_key: str | None = None
    body_hash: bytes = b""
    traceparent: str | None = None
    spawned_by: SpawnedBy | None = None
    tags: tuple[str, ...] = ()


class Receipt(Struct, frozen=True, kw_only=True):
    """Where a message went. `duplicate` returns the message of the first call with the same key.

    `traceparent` names the root span of the turn that takes the message.
    """

    message_id: UUID
    turn_id: UUID
    seq: int
    steered: bool
    created_ms: int
    duplicate: bool = False
    traceparent: str | None = None
    message: Message | None = None


class Cancel(Struct, frozen=True, kw_only=True):
    """Of the turn that is at work, or of `turn_id` and no other."""

    org_id: UUID
    session_id: UUID
    reason: str | None = None
    turn_id: UUID | None = None


class CancelReceipt(Struct, frozen=True, kw_only=True):
    """`no_op` where no turn was running."""

    status: Literal["cancelled", "no_op"]
    turn_id: UUID | None = None


class ClientToolResult(Struct, frozen=True, kw_only=True):
    tool_call_id: str
    result: object = None
    error: str | None = None


class SubmitToolResults(Struct, frozen=True, kw_only=True):
    org_id: UUID
    session_id: UUID
    results: tuple[ClientToolResult, ...]


class ToolResultsReceipt(Struct, frozen=True, kw_only=True):
    """`status` is the session's status after the commit."""

    accepted: int
    status: str


class Close(Struct, frozen=True, kw_only=True):
    """Delete a session: cancel what runs, refuse what comes."""

    org_id: UUID
    session_id: UUID


class CloseReceipt(Struct, frozen=True, kw_only=True):
    closed: bool
