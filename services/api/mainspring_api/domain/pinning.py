"""What a session keeps of its harness and its agent: both as they were when it was made.

A session goes on with it whatever becomes of them, until it is asked to migrate.
"""

import hashlib
from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.records import Record
from mainspring_api.domain.resources import Agent, Harness, PinnedBase
from mainspring_api.domain.tiers import Tiers
from mainspring_kernel.errors import NotFound


class BaseRecord(Record, frozen=True, kw_only=True):
    """Never changes: its id is the hash of what it holds, so that sessions share it."""

    kind: ClassVar[str] = "base"

    harnesses: tuple[Harness, ...]
    agent: Agent | None
    agent_version_id: UUID | None
    default_model_id: str | None

    def pinned(self) -> PinnedBase:
        return PinnedBase(id=self.id, agent_version_id=self.agent_version_id)


class _Held(Struct, frozen=True):
    harnesses: tuple[Harness, ...]
    agent: Agent | None
    agent_version_id: UUID | None
    default_model_id: str | None


def base_of(tiers: Tiers, agent_version_id: UUID | None, *, now_ms: int) -> BaseRecord:
    held = _Held(tuple(tiers.harnesses), tiers.agent, agent_version_id, tiers.default_model_id)
    digest = hashlib.sha256(msgspec.json.encode(held)).digest()
    org_id = tiers.harnesses[-1].org_id
    return BaseRecord(
        org_id=org_id,
        id=UUID(bytes=digest[:16]),
        owner_id=org_id,
        created_ms=now_ms,
        updated_ms=now_ms,
        harnesses=held.harnesses,
        agent=held.agent,
        agent_version_id=held.agent_version_id,
        default_model_id=held.default_model_id,
    )


def on_base(tiers: Tiers, base: BaseRecord) -> Tiers:
    """The same session on what it keeps."""
    return msgspec.structs.replace(
        tiers,
        harnesses=base.harnesses,
        agent=base.agent,
        default_model_id=base.default_model_id,
    )


def found(base: BaseRecord | None) -> BaseRecord:
    """Raises NotFound, which no session that was made here can meet."""
    if base is None:
        msg = "the session's base is gone"
        raise NotFound(msg)
    return base
