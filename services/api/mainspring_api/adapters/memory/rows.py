"""The tables of the memory twin."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeVar
from uuid import UUID

from msgspec import Struct

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


class KeyRow(Struct, frozen=True, kw_only=True):
    answer: KeptAnswer
    claimed_ms: int


class RecordId(NamedTuple):
    org_id: OrgId
    kind: str
    id: UUID


class Past(NamedTuple):
    """A file as it was from a change until the next."""

    file: File
    changed_ms: int
    until_ms: int


class PastRecord(NamedTuple):
    """A record as it was from a change until the next."""

    record: Record
    changed_ms: int
    until_ms: int


Was = TypeVar("Was", Past, PastRecord)
Holder = TypeVar("Holder", bound=UUID)


def began_as(
    forks: "Mapping[tuple[OrgId, Holder], tuple[Holder, int]]", org_id: OrgId, holder: Holder
) -> "tuple[Holder, int | None]":
    """Where what a fork has lies, and as of when; itself and None once it is its own."""
    as_of_ms = None
    while (fork := forks.get((org_id, holder))) is not None:
        holder, as_of_ms = fork
    return holder, as_of_ms


def forget_past(
    pasts: "dict[tuple[OrgId, Holder], tuple[Was, ...]]",
    forks: "Collection[tuple[Holder, int]]",
    *,
    before_ms: int,
    limit: int,
) -> int:
    """Removes what was so long ago, unless a fork still reads it; how many."""
    gone = 0
    for key, rows in list(pasts.items()):
        needed = [as_of_ms for parent, as_of_ms in forks if parent == key[1]]
        old = [
            past
            for past in rows
            if past.until_ms < before_ms
            and not any(past.changed_ms < as_of_ms <= past.until_ms for as_of_ms in needed)
        ][: limit - gone]
        gone += len(old)
        pasts[key] = tuple(past for past in rows if past not in old)
    return gone


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
        self.keys: dict[KeyId, KeyRow] = {}
        self.records: dict[RecordId, Record] = {}
        self.record_changed: dict[RecordId, int] = {}
        self.record_past: dict[tuple[OrgId, UUID], tuple[PastRecord, ...]] = {}
        self.record_forks: dict[tuple[OrgId, UUID], tuple[UUID, int]] = {}
        """Owner → the one that it began as, and as of when."""

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
        twin.record_changed = dict(self.record_changed)
        twin.record_past = dict(self.record_past)
        twin.record_forks = dict(self.record_forks)
        return twin
