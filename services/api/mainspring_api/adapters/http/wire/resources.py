"""Agents, harnesses, sessions, workspaces and files on the wire."""

import base64
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.wire.tiers import (
    Label,
    Prompt,
    TierBody,
    TierView,
    joined,
    kept,
    tier_of,
)
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.contents import is_binary
from mainspring_api.domain.resources import Agent, File, Harness, Status, Tier, Workspace
from mainspring_api.usecases.agents import AgentDraft
from mainspring_api.usecases.harnesses import HarnessDraft
from mainspring_api.usecases.sessions import SessionDraft, SessionView
from mainspring_harness.registry import Registry
from mainspring_kernel import limits
from mainspring_kernel.errors import ConflictingReferences
from mainspring_kernel.ids import (
    ANONYMOUS_USER_ID,
    HarnessId,
    Prefix,
    WorkspaceId,
    from_wire,
    to_wire,
)
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json

Name = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=bounds.NAME_CHARS_MAX)]
Ref = Annotated[str, Meta(min_length=1, max_length=bounds.NAME_CHARS_MAX)]
Id = Annotated[str, Meta(max_length=bounds.NAME_CHARS_MAX)]
Description = Annotated[str, Meta(max_length=4000)]


def exclusive(id_: str | None, name: str | None, prefix: str) -> str | None:
    """The one that is given. Raises ConflictingReferences, and InvalidId for a malformed id."""
    if id_ is not None and name is not None:
        msg = f"give {prefix}_id or {prefix}_name, not both"
        raise ConflictingReferences(msg)
    if id_ is not None:
        from_wire(prefix, id_)
    return id_ if id_ is not None else name


def set_or_none(value: str | UnsetType | None) -> str | None:
    return None if isinstance(value, UnsetType) else value


# ── agents ──────────────────────────────────────────────────────────────────────────────────────


class AgentPatch(TierBody, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    display_name: Label | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    default_model_id: Id | UnsetType | None = UNSET
    harness_id: Id | UnsetType | None = UNSET
    harness_name: Ref | UnsetType | None = UNSET
    status: Literal["active", "archived"] | UnsetType = UNSET


class AgentPreviewBody(AgentPatch, frozen=True, kw_only=True):
    """An agent that need not exist."""


class AgentBody(AgentPatch, frozen=True, kw_only=True):
    """With a known id, or a known name, that agent becomes what the body says."""

    name: Name  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch
    system_prompt: Prompt  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch
    id: Id | None = None


def agent_draft(body: AgentPatch, present: Agent | None, registry: Registry) -> AgentDraft:
    tier = present.tier if present else Tier()
    name = body.name if isinstance(body.name, str) else present.name if present else "preview"
    harness = exclusive(
        set_or_none(body.harness_id), set_or_none(body.harness_name), Prefix.HARNESS
    )
    return AgentDraft(
        name=name,
        display_name=kept(body.display_name, present.display_name if present else None),
        description=kept(body.description, present.description if present else None),
        harness=harness,
        tier=tier_of(body, tier, registry, body.default_model_id),
    )


class AgentView(TierView, frozen=True, kw_only=True):
    id: str
    name: str
    display_name: str | None
    description: str | None
    system_prompt: str
    harness_id: str
    default_model_id: str | None
    status: Status
    created_at: str
    updated_at: str
    archived_at: str | None
    default_version_id: str | None
    forked_from_agent_id: str | None
    forked_from_version_id: str | None
    root_agent_id: str | None


def agent_view(agent: Agent) -> AgentView:
    return joined(
        AgentView,
        agent.tier,
        system_prompt=agent.tier.system_prompt or "",
        id=to_wire(Prefix.AGENT, agent.id),
        name=agent.name,
        display_name=agent.display_name,
        description=agent.description,
        harness_id=to_wire(Prefix.HARNESS, agent.harness_id),
        default_model_id=agent.tier.model_id,
        status=agent.status,
        created_at=rfc3339(agent.created_ms),
        updated_at=rfc3339(agent.updated_ms),
        archived_at=time_or_none(agent.archived_ms),
        default_version_id=id_or_none(Prefix.AGENT_VERSION, agent.default_version_id),
        forked_from_agent_id=id_or_none(Prefix.AGENT, agent.forked_from_agent_id),
        forked_from_version_id=id_or_none(Prefix.AGENT_VERSION, agent.forked_from_version_id),
        root_agent_id=id_or_none(Prefix.AGENT, agent.root_agent_id),
    )


def id_or_none(prefix: str, id_: UUID | None) -> str | None:
    return None if id_ is None else to_wire(prefix, id_)


def time_or_none(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


# ── harnesses ───────────────────────────────────────────────────────────────────────────────────


class HarnessPatch(TierBody, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    display_name: Label | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    default_model_id: Id | UnsetType | None = UNSET
    parent_harness_id: Id | UnsetType | None = UNSET
    embedder_metadata: dict[str, str] | UnsetType | None = UNSET
    status: Literal["active", "archived"] | UnsetType = UNSET


class HarnessBody(HarnessPatch, frozen=True, kw_only=True):
    name: Name  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch


def harness_draft(body: HarnessPatch, present: Harness | None, registry: Registry) -> HarnessDraft:
    tier = tier_of(body, present.tier if present else Tier(), registry, body.default_model_id)
    tier = msgspec.structs.replace(
        tier, embedder_metadata=kept(body.embedder_metadata, tier.embedder_metadata)
    )
    return HarnessDraft(
        name=body.name if isinstance(body.name, str) else present.name if present else "",
        display_name=kept(body.display_name, present.display_name if present else None),
        description=kept(body.description, present.description if present else None),
        parent_id=_parent(body, present),
        tier=tier,
    )


def _parent(body: HarnessPatch, present: Harness | None) -> HarnessId | None:
    if isinstance(body.parent_harness_id, UnsetType):
        return present.parent_id if present else None
    if body.parent_harness_id is None:
        return None
    return HarnessId(from_wire(Prefix.HARNESS, body.parent_harness_id))


class HarnessView(TierView, frozen=True, kw_only=True):
    id: str
    name: str
    display_name: str | None
    description: str | None
    parent_harness_id: str | None
    default_model_id: str | None
    embedder_metadata: dict[str, str]
    is_built_in: bool
    status: Status
    created_at: str
    updated_at: str
    archived_at: str | None


def harness_view(harness: Harness) -> HarnessView:
    return joined(
        HarnessView,
        harness.tier,
        id=to_wire(Prefix.HARNESS, harness.id),
        name=harness.name,
        display_name=harness.display_name,
        description=harness.description,
        parent_harness_id=to_wire(Prefix.HARNESS, harness.parent_id) if harness.parent_id else None,
        default_model_id=harness.tier.model_id,
        embedder_metadata=harness.tier.embedder_metadata or {},
        is_built_in=harness.built_in,
        status=harness.status,
        created_at=rfc3339(harness.created_ms),
        updated_at=rfc3339(harness.updated_ms),
        archived_at=time_or_none(harness.archived_ms),
    )


# ── sessions ────────────────────────────────────────────────────────────────────────────────────


class SessionPatch(TierBody, frozen=True, kw_only=True):
    title: Label | UnsetType | None = UNSET
    locale: Annotated[str, Meta(max_length=35)] | UnsetType | None = UNSET
    model_id: Id | UnsetType | None = UNSET


class SessionBody(SessionPatch, frozen=True, kw_only=True):
    """Without harness and agent the organization's default harness alone answers."""

    agent_id: Id | None = None
    agent_name: Ref | None = None
    harness_id: Id | None = None
    harness_name: Ref | None = None
    agent_version_id: Id | None = None
    workspace_id: Id | None = None


def session_draft(body: SessionBody, registry: Registry) -> SessionDraft:
    workspace, version = body.workspace_id, body.agent_version_id
    return SessionDraft(
        agent=exclusive(body.agent_id, body.agent_name, Prefix.AGENT),
        harness=exclusive(body.harness_id, body.harness_name, Prefix.HARNESS),
        agent_version_id=from_wire(Prefix.AGENT_VERSION, version) if version else None,
        workspace_id=WorkspaceId(from_wire(Prefix.WORKSPACE, workspace)) if workspace else None,
        title=set_or_none(body.title),
        locale=set_or_none(body.locale),
        tier=tier_of(body, Tier(), registry, body.model_id),
    )


class SessionOut(TierView, frozen=True, kw_only=True):
    id: str
    organization_id: str
    workspace_id: str
    harness_id: str
    agent_id: str | None
    agent_version_id: str | None
    parent_session_id: str | None
    title: str | None
    locale: str | None
    model_id: str | None
    status: Literal["started", "active", "idle", "waitingfortoolresults"]
    paused: bool
    features: tuple[str, ...]
    is_pinned: bool
    forked_from_session_id: str | None
    forked_from_sequence: int | None
    active_schedule_count: int | None
    """Schedules that will write to it; null while nobody can tell."""
    usage: Json | None
    """What its turns have used, where one session is asked for."""
    owner_principal_id: str
    created_at: str
    updated_at: str


ANONYMOUS_PRINCIPAL = to_wire(Prefix.USER, ANONYMOUS_USER_ID)


def session_out(view: SessionView) -> SessionOut:
    session, base = view.session, view.session.tier.base
    return joined(
        SessionOut,
        session.tier,
        id=to_wire(Prefix.SESSION, session.id),
        organization_id=to_wire(Prefix.ORG, session.org_id),
        workspace_id=to_wire(Prefix.WORKSPACE, session.workspace_id),
        harness_id=to_wire(Prefix.HARNESS, session.harness_id),
        agent_id=id_or_none(Prefix.AGENT, session.agent_id),
        agent_version_id=id_or_none(Prefix.AGENT_VERSION, base.agent_version_id if base else None),
        parent_session_id=next(reversed(session.tier.ancestors), None),
        title=session.title,
        locale=session.locale,
        model_id=session.tier.model_id,
        status=view.status,
        paused=view.paused,
        features=view.features,
        is_pinned=session.pinned,
        forked_from_session_id=id_or_none(Prefix.SESSION, session.forked_from),
        forked_from_sequence=session.forked_seq,
        active_schedule_count=view.active_schedules,
        usage=None if view.usage is None else view.usage.wire(),
        owner_principal_id=session.tier.user or ANONYMOUS_PRINCIPAL,
        created_at=rfc3339(session.created_ms),
        updated_at=rfc3339(max(view.active_ms, session.updated_ms)),
    )


# ── workspaces and files ────────────────────────────────────────────────────────────────────────


class WorkspaceBody(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=limits.DISPLAY_NAME_CHARS_MAX)]
    description: Description | None = None


class WorkspacePatch(Struct, frozen=True, kw_only=True):
    name: (
        Annotated[str, Meta(min_length=1, max_length=limits.DISPLAY_NAME_CHARS_MAX)] | UnsetType
    ) = UNSET
    description: Description | UnsetType | None = UNSET
    status: Literal["active", "archived"] | UnsetType = UNSET


class WorkspaceView(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str | None
    status: Status
    created_at: str
    updated_at: str
    archived_at: str | None


def workspace_view(workspace: Workspace) -> WorkspaceView:
    return WorkspaceView(
        id=to_wire(Prefix.WORKSPACE, workspace.id),
        name=workspace.name,
        description=workspace.description,
        status=workspace.status,
        created_at=rfc3339(workspace.created_ms),
        updated_at=rfc3339(workspace.updated_ms),
        archived_at=time_or_none(workspace.archived_ms),
    )


class FileWrite(Struct, frozen=True, kw_only=True):
    content: str | None = None
    encoding: Literal["text", "base64"] | None = None
    is_directory: bool | None = None
    is_readonly: bool | None = None


class FileView(Struct, frozen=True, kw_only=True):
    """`session_id` is the old name of the owner: the workspace's id under another prefix."""

    id: str
    session_id: str
    path: str
    name: str
    is_directory: bool
    is_readonly: bool
    size_bytes: int
    created_at: str
    updated_at: str
    content: str | UnsetType = UNSET
    encoding: str | UnsetType = UNSET


def file_view(file: File, *, with_content: bool = False) -> FileView:
    content: str | UnsetType = UNSET
    encoding: str | UnsetType = UNSET
    if with_content and file.content is not None:
        content, encoding = encoded(file.content)
    return FileView(
        id=to_wire("file", file.id),
        session_id=to_wire(Prefix.SESSION, file.workspace_id),
        path=file.path,
        name=file.name,
        is_directory=file.is_directory,
        is_readonly=file.is_readonly,
        size_bytes=file.size_bytes,
        created_at=rfc3339(file.created_ms),
        updated_at=rfc3339(file.updated_ms),
        content=content,
        encoding=encoding,
    )


def encoded(content: bytes) -> tuple[str, str]:
    """As text where it is text: no NUL in its beginning, and valid UTF-8."""
    if not is_binary(content):
        try:
            return content.decode(), "text"
        except UnicodeDecodeError:
            pass
    return base64.b64encode(content).decode(), "base64"
