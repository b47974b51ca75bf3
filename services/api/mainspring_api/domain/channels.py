"""Channels: doors through which applications call one agent, each with its own keys and sessions.

Their records keep the kinds that they were first stored under: `endpoint` and what begins so.
"""

import hashlib
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from mainspring_api.domain.records import Record
from mainspring_kernel.ids import AgentId

KEY_PREFIX = "evr_ak_"
TOKEN_PREFIX = "evr_rt_"  # noqa: S105 -- what one begins with
SHOWN_CHARS = 14
"""Of a key: enough to tell one from another, too little to guess it."""


class Channel(Record, frozen=True, kw_only=True):
    """Its owner is the agent. What it delegates its callers decide: about tool calls
    (`delegates_approvals`), about the model of a message and its work (`delegates_controls`)."""

    kind: ClassVar[str] = "endpoint"

    name: str
    enabled: bool = True
    delegates_approvals: bool = False
    delegates_controls: bool = False

    @property
    def agent_id(self) -> AgentId:
        return AgentId(self.owner_id)


class ChannelKey(Record, frozen=True, kw_only=True):
    """Its owner is the channel, its key the digest: the key itself is shown once and not kept."""

    kind: ClassVar[str] = "endpoint_key"

    shown: str


class ChannelSession(Record, frozen=True, kw_only=True):
    """A session that was made through a channel, under its own id. Its owner is the caller."""

    kind: ClassVar[str] = "endpoint_session"


class RuntimeToken(Struct, frozen=True, kw_only=True):
    """What a token says, which is a sealed text and no row: who calls, until when, by which key."""

    caller_id: UUID
    key_id: UUID
    expires_ms: int


def about_token(channel: Channel) -> str:
    """What a token is bound to: shown at another channel, it does not open."""
    return f"{channel.org_id}/runtime_token/{channel.id}"


def digest_of(key: str) -> str:
    """Keys are random and long, so a plain digest gives nothing away."""
    return hashlib.sha256(key.encode()).hexdigest()


def caller_of(channel_id: UUID, end_user: str | None) -> UUID:
    """The application itself, or one of its users: neither sees the other's sessions."""
    text = b"app" if end_user is None else b"user:" + end_user.encode()
    return UUID(bytes=hashlib.sha256(channel_id.bytes + text).digest()[:16])
