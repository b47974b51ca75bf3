"""The tables of the memory twin."""

from typing import NamedTuple
from uuid import UUID

from mainspring_api.domain.records import Record
from mainspring_api.domain.resources import (
    Agent,
    File,
    Harness,
    Organization,
    Session,
    Workspace,
)
from mainspring_api.ports.store import KeptAnswer
from mainspring_kernel.ids import AgentId, HarnessId, OrgId, SessionId, WorkspaceId


class KeyId(NamedTuple):
    org_id: OrgId
    route: str
    key: str


class RecordId(NamedTuple):
    org_id: OrgId
    kind: str
    id: UUID


class Past(NamedTuple):
    """A file as it was from a change until the next."""

    file: File
    changed_ms: int
    until_ms: int


class Rows:
    """Rows are frozen, so a shallow copy of each dictionary is a snapshot."""

    def __init__(self) -> None:
        self.organizations: dict[OrgId, Organization] = {}
        self.harnesses: dict[tuple[OrgId, HarnessId], Harness] = {}
        self.agents: dict[tuple[OrgId, AgentId], Agent] = {}
        self.sessions: dict[tuple[OrgId, SessionId], Session] = {}
        self.deleting: dict[SessionId, int] = {}
        self.workspaces: dict[tuple[OrgId, WorkspaceId], Workspace] = {}
        self.files: dict[tuple[OrgId, WorkspaceId, str], File] = {}
        self.changed: dict[tuple[OrgId, WorkspaceId, str], int] = {}
        self.past: dict[tuple[OrgId, WorkspaceId], tuple[Past, ...]] = {}
        self.forks: dict[tuple[OrgId, WorkspaceId], tuple[WorkspaceId, int]] = {}
        """Workspace → the one that it began as, and as of when."""
        self.keys: dict[KeyId, KeptAnswer] = {}
        self.records: dict[RecordId, Record] = {}

    def draft(self) -> "Rows":
        twin = Rows()
        twin.organizations = dict(self.organizations)
        twin.harnesses = dict(self.harnesses)
        twin.agents = dict(self.agents)
        twin.sessions = dict(self.sessions)
        twin.deleting = dict(self.deleting)
        twin.workspaces = dict(self.workspaces)
        twin.files = dict(self.files)
        twin.changed = dict(self.changed)
        twin.past = dict(self.past)
        twin.forks = dict(self.forks)
        twin.keys = dict(self.keys)
        twin.records = dict(self.records)
        return twin
