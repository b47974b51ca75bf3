"""Rows as the queries return them, and their way to the resources."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from mainspring_api.domain.resources import (
    Agent,
    Basis,
    Harness,
    Session,
    decode_tier,
    encode_tier,
)
from mainspring_kernel.ids import AgentId, HarnessId, OrgId, SessionId, WorkspaceId

Status = Literal["active", "archived", "deleted"]


class HarnessRow(Struct, frozen=True, kw_only=True):
    org_id: OrgId
    id: HarnessId
    name: str
    display_name: str | None
    description: str | None
    parent_id: HarnessId | None
    tier: bytes
    status: Status
    rev: int
    created_ms: int
    updated_ms: int
    archived_ms: int | None

    def resource(self) -> Harness:
        return Harness(
            org_id=self.org_id,
            id=self.id,
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            parent_id=self.parent_id,
            tier=decode_tier(self.tier),
            status=self.status,
            rev=self.rev,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            archived_ms=self.archived_ms,
        )


def harness_values(harness: Harness) -> tuple[object, ...]:
    return (
        harness.org_id,
        harness.id,
        harness.name,
        harness.display_name,
        harness.description,
        harness.parent_id,
        encode_tier(harness.tier),
        harness.status,
        harness.rev,
        harness.created_ms,
        harness.updated_ms,
        harness.archived_ms,
    )


class AgentRow(Struct, frozen=True, kw_only=True):
    org_id: OrgId
    id: AgentId
    name: str
    display_name: str | None
    description: str | None
    harness_id: HarnessId
    tier: bytes
    status: Status
    rev: int
    created_ms: int
    updated_ms: int
    archived_ms: int | None
    default_version_id: UUID | None
    forked_from_agent_id: AgentId | None
    forked_from_version_id: UUID | None
    root_agent_id: AgentId | None

    def resource(self) -> Agent:
        return Agent(
            org_id=self.org_id,
            id=self.id,
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            harness_id=self.harness_id,
            tier=decode_tier(self.tier),
            status=self.status,
            rev=self.rev,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            archived_ms=self.archived_ms,
            default_version_id=self.default_version_id,
            forked_from_agent_id=self.forked_from_agent_id,
            forked_from_version_id=self.forked_from_version_id,
            root_agent_id=self.root_agent_id,
        )


def agent_values(agent: Agent) -> tuple[object, ...]:
    return (
        agent.org_id,
        agent.id,
        agent.name,
        agent.display_name,
        agent.description,
        agent.harness_id,
        encode_tier(agent.tier),
        agent.status,
        agent.rev,
        agent.created_ms,
        agent.updated_ms,
        agent.archived_ms,
        agent.default_version_id,
        agent.forked_from_agent_id,
        agent.forked_from_version_id,
        agent.root_agent_id,
    )


class SessionRow(Struct, frozen=True, kw_only=True):
    org_id: OrgId
    id: SessionId
    workspace_id: WorkspaceId
    harness_id: HarnessId
    agent_id: AgentId | None
    title: str | None
    locale: str | None
    tier: bytes
    rev: int
    created_ms: int
    updated_ms: int
    pinned: bool
    forked_from: SessionId | None
    forked_seq: int | None

    def resource(self) -> Session:
        return Session(
            org_id=self.org_id,
            id=self.id,
            workspace_id=self.workspace_id,
            harness_id=self.harness_id,
            agent_id=self.agent_id,
            title=self.title,
            locale=self.locale,
            tier=decode_tier(self.tier),
            rev=self.rev,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            pinned=self.pinned,
            forked_from=self.forked_from,
            forked_seq=self.forked_seq,
        )


def session_values(session: Session) -> tuple[object, ...]:
    return (
        session.org_id,
        session.id,
        session.workspace_id,
        session.harness_id,
        session.agent_id,
        session.title,
        session.locale,
        encode_tier(session.tier),
        session.rev,
        session.created_ms,
        session.updated_ms,
        session.pinned,
        session.forked_from,
        session.forked_seq,
    )


class ForkedRow(Struct, frozen=True, kw_only=True):
    """None where there is no such event."""

    last_seq: int | None


class ForkRow(Struct, frozen=True, kw_only=True):
    id: UUID


class BasisRow(Struct, frozen=True, kw_only=True):
    session_id: SessionId
    tier: bytes
    org_rev: int
    harness_id: HarnessId
    harness_rev: int
    agent_id: AgentId | None
    agent_rev: int

    def basis(self, org_id: OrgId) -> Basis:
        return Basis(
            tier=self.tier,
            org_id=org_id,
            org_rev=self.org_rev,
            harness_id=self.harness_id,
            harness_rev=self.harness_rev,
            agent_id=self.agent_id,
            agent_rev=self.agent_rev,
        )


class HeldRow(Struct, frozen=True, kw_only=True):
    session_id: SessionId
    org_id: OrgId
