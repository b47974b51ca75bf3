"""The resources of an organization, in transactions that see no other organization's rows."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_api.domain.resources import (
    Agent,
    Basis,
    File,
    Harness,
    Organization,
    Session,
    Workspace,
)
from mainspring_api.ports.records import Records
from mainspring_kernel.ids import AgentId, HarnessId, OrgId, SessionId, TaskId, WorkspaceId
from mainspring_schema.grants import ForkHead, OpenHead


class Listed(Struct, frozen=True, kw_only=True):
    """Which rows of a list: all `tokens` must occur; archived ones only where asked."""

    tokens: tuple[str, ...] = ()
    include_archived: bool = False
    offset: int = 0
    limit: int = 20


NO_EVENT = "the session has no such event"


class RequestKey(Struct, frozen=True, kw_only=True):
    """An Idempotency-Key in its scope, with the SHA-256 of the canonical body.

    `memo` is kept as the body until there is an answer: what a second try must know of the first.
    """

    route: str
    key: str
    body_hash: bytes
    memo: bytes = b""


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """The answer of the first request with a key; without status while that is at work.

    `age_ms` is how long it has had the key, by the store's clock.
    """

    body_hash: bytes
    status: int | None = None
    body: bytes = b""
    age_ms: int = 0


Opened = Callable[[Sequence[OpenHead]], None]
"""Told of new logs with their first events once they are committed. Must not raise or wait."""


def unheard(opened: Sequence[OpenHead], /) -> None:
    """Where nobody listens."""
    del opened


class Transaction(Records, Protocol):
    """Reads and writes of one organization; all or nothing."""

    async def organization(self) -> Organization | None:
        """The organization this transaction is for."""
        ...

    async def renew_configurations(self) -> None:
        """What all sessions work with is folded anew: something that all depend on has changed."""
        ...

    # harnesses
    async def harness(self, id_: HarnessId) -> Harness | None:
        """None also for a deleted one."""
        ...

    async def harness_named(self, name: str) -> Harness | None:
        """The one that bears the name, archived or not."""
        ...

    async def harnesses(self, listed: Listed) -> Sequence[Harness]:
        """All that match, by name."""
        ...

    async def put_harness(self, harness: Harness) -> None:
        """Inserts or replaces by id; heirs get a new rev too. Raises NameTaken."""
        ...

    async def generations(self, id_: HarnessId) -> int:
        """Of heirs below a harness; 0 where nobody inherits from it."""
        ...

    async def rests_on(self, id_: HarnessId) -> int:
        """How many agents and harnesses name a harness, archived ones too."""
        ...

    # agents
    async def agent(self, id_: AgentId, *, lock: bool = False) -> Agent | None:
        """None also for a deleted one. With `lock` nobody changes it until the end."""
        ...

    async def agent_named(self, name: str, *, lock: bool = False) -> Agent | None:
        """The one that bears the name, archived or not."""
        ...

    async def agents(self, listed: Listed) -> tuple[Sequence[Agent], int]:
        """A page, newest first, and how many there are."""
        ...

    async def put_agent(self, agent: Agent) -> None:
        """Inserts or replaces by id. Raises NameTaken."""
        ...

    # sessions
    async def session(self, id_: SessionId, *, lock: bool = False) -> Session | None:
        """None also where its deletion has begun."""
        ...

    async def sessions(
        self, listed: Listed, *, agent_id: AgentId | None = None
    ) -> tuple[Sequence[Session], int]:
        """A page, newest first, and how many there are."""
        ...

    async def put_session(self, session: Session) -> None:
        """Inserts or replaces by id."""
        ...

    async def begin_delete(self, id_: SessionId) -> bool:
        """From now on the session is gone for readers. False where there is none."""
        ...

    async def put_off_delete(self, id_: SessionId) -> None:
        """One that cannot be finished yet counts as begun now: others come before it."""
        ...

    async def release_forks(self, id_: SessionId, *, limit: int) -> int:
        """So many of its forks get the files and records of their own that they read of a session.

        How many there were: less than `limit` means that nobody reads of it any more.
        """
        ...

    async def finish_delete(self, id_: SessionId) -> None:
        """Removes the row and what hangs on it, after its log was closed."""
        ...

    async def open_log(self, head: OpenHead) -> None:
        """Makes the session's log with its first event, in this transaction.

        An event whose time lies further than `CLOCK_DRIFT_MS_MAX` from the database's gets that.
        Raises Conflict where the session has one, here or at the end of the transaction.
        """
        ...

    async def fork_log(self, fork: ForkHead) -> None:
        """Makes the session's log behind an event of another one's, in this transaction.

        Raises NotFound where there is no such event, here or at the end of the transaction.
        """
        ...

    # workspaces and files
    async def fork_workspace(
        self, workspace_id: WorkspaceId, parent_id: WorkspaceId, *, as_of_ms: int | None
    ) -> None:
        """A workspace with the files that another one had just before, or has now."""
        ...

    async def workspace(self, id_: WorkspaceId) -> Workspace | None:
        """Only those that have a row of their own."""
        ...

    async def workspace_named(self, name: str) -> Workspace | None:
        """An active one."""
        ...

    async def workspaces(self, listed: Listed) -> Sequence[Workspace]:
        """All that match, newest first."""
        ...

    async def put_workspace(self, workspace: Workspace) -> None:
        """Inserts or replaces by id."""
        ...

    async def files(self, workspace_id: WorkspaceId) -> Sequence[File]:
        """All of a workspace by path, without content."""
        ...

    async def file(self, workspace_id: WorkspaceId, path: str) -> File | None:
        """One file with its content."""
        ...

    async def files_at(self, workspace_id: WorkspaceId, paths: Sequence[str]) -> Sequence[File]:
        """Those that are there, with their content, by path."""
        ...

    async def lock_files(self, workspace_id: WorkspaceId) -> None:
        """Until the end nobody else writes files of the workspace; readers go on.

        For whoever writes what it has read: before its first read, and behind the locks of task,
        request key and session. A transaction that writes into several workspaces locks them in the
        order of their ids. Raises Unavailable where another has it for too long.
        """
        ...

    async def put_files(self, files: Sequence[File]) -> None:
        """Inserts or replaces by path."""
        ...

    async def move_files(
        self, workspace_id: WorkspaceId, pairs: Sequence[tuple[str, str]], *, now_ms: int
    ) -> None:
        """From path to path; nothing may be at the targets."""
        ...

    async def copy_files(
        self, workspace_id: WorkspaceId, copies: Sequence[tuple[str, str, UUID]], *, now_ms: int
    ) -> None:
        """From path to path with a new id, never read-only; nothing may be at the targets."""
        ...

    async def size_bytes(self, workspace_id: WorkspaceId) -> int:
        """Of all files of a workspace together."""
        ...

    async def remove_files(self, workspace_id: WorkspaceId, paths: Sequence[str]) -> int:
        """How many there were."""
        ...

    # keys of requests
    async def claim_key(self, key: RequestKey, *, age_ms: int = 0) -> KeptAnswer | None:
        """None where the key is new and now ours; waits for another transaction that has it.

        The store dates it, so that no clock of a replica lets two have it. `age_ms` makes it look
        older than it is.
        """
        ...

    async def kept_answer(self, key: RequestKey) -> KeptAnswer | None:
        """What is kept under a key, without taking it."""
        ...

    async def keep_answer(self, key: RequestKey, *, status: int, body: bytes) -> None:
        """Later requests with this key get this answer."""
        ...

    async def drop_key(self, key: RequestKey) -> None:
        """The request failed: the next one with this key may try."""
        ...


class Holding(NamedTuple):
    """A transaction in which a task keeps its holder, and whose session the task belongs to."""

    tx: Transaction
    org_id: OrgId
    session_id: SessionId


class Unfinished(Struct, frozen=True, kw_only=True):
    """A session whose deletion began and did not end."""

    org_id: OrgId
    session_id: SessionId


class Store(Protocol):
    """Raises Unavailable while the database is away."""

    def transaction(self, org_id: OrgId) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end of the block."""
        ...

    def held_transaction(self, task_id: TaskId, fence: int) -> AbstractAsyncContextManager[Holding]:
        """For a worker's write: of the organization whose task it holds. Raises LeaseLost."""
        ...

    async def basis(self, org_id: OrgId, session_id: SessionId) -> Basis | None:
        """The revisions a session's configuration rests on, in one statement; None if unknown."""
        ...

    async def organization_exists(self, org_id: OrgId) -> bool:
        """Organizations are never removed, so a yes may be remembered."""
        ...

    async def organizations(self, *, offset: int, limit: int) -> tuple[Sequence[Organization], int]:
        """A page of all there are, oldest first, and how many there are."""
        ...

    async def create_organization(self, organization: Organization) -> None:
        """Raises NameTaken."""
        ...

    async def held_org(self, task_id: TaskId, fence: int) -> OrgId | None:
        """Whose task this is; None where the caller holds it no more."""
        ...

    async def unfinished_deletes(self, *, older_than_ms: int, limit: int) -> Sequence[Unfinished]:
        """Deletions of that age at least, by the store's clock, that did not end; oldest first."""
        ...

    async def forget_file_past(self, *, before_ms: int, limit: int) -> int:
        """Removes files as they were before, where no fork needs them; how many."""
        ...

    async def forget_record_past(self, *, before_ms: int, limit: int) -> int:
        """The same of records."""
        ...

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        """Removes request keys of that age, by the store's clock; how many."""
        ...
