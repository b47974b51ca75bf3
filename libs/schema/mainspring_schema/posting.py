"""What other services ask of api when a message comes into a session without a client.

Carried as MessagePack inside the session proto.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct


class PostMessage(Struct, frozen=True, kw_only=True):
    """Brings a message into a session; with `session` the session is made where it is not there.

    Asked again alike it is answered alike: session and message bear the ids that are given.
    `metadata` is added to that of the message.
    """

    org_id: UUID
    session_id: UUID
    session: bytes | None = None
    message_id: UUID
    message: bytes
    metadata: dict[str, object] = {}


class Posted(Struct, frozen=True, kw_only=True):
    """The turn that takes the message, and where the message stands in the log."""

    turn_id: UUID
    seq: int


class OneTurn(Struct, frozen=True, kw_only=True):
    org_id: UUID
    session_id: UUID
    turn_id: UUID


TurnOutcome = Literal["completed", "failed", "cancelled", "needs_attention"]


class TurnState(Struct, frozen=True, kw_only=True):
    """`outcome` is None while the turn is at work; `code` says why it failed."""

    outcome: TurnOutcome | None = None
    ended_ms: int | None = None
    code: str | None = None


class TurnsAsked(Struct, frozen=True, kw_only=True):
    turns: tuple[OneTurn, ...]


class TurnsTold(Struct, frozen=True, kw_only=True):
    """In the order asked."""

    states: tuple[TurnState, ...]


class CancelTurn(Struct, frozen=True, kw_only=True):
    """Does nothing where another turn is at work in the session by now."""

    turn: OneTurn
    reason: str
