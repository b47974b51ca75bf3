"""The resources of one organization inside one transaction."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from mainspring_api.adapters.postgres.records import PostgresRecords
from mainspring_api.adapters.postgres.rows import (
    AgentRow,
    ForkedRow,
    ForkRow,
    HarnessRow,
    SessionRow,
    agent_values,
    harness_values,
    session_values,
)
from mainspring_api.domain.resources import (
    Agent,
    File,
    Harness,
    Organization,
    Session,
    Workspace,
)
from mainspring_api.ports.store import NO_EVENT, KeptAnswer, Listed, RequestKey
from mainspring_kernel.errors import Conflict, NameTaken, NotFound, Unavailable
from mainspring_kernel.ids import AgentId, HarnessId, OrgId, SessionId, WorkspaceId
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX, PAGE_ROWS_MAX
from mainspring_postgres import Query, Transaction, UniqueViolation, load_queries
from mainspring_schema.grants import ForkHead, OpenHead

_HERE = "mainspring_api.adapters.postgres"
R = load_queries(_HERE, "resources.sql")
S = load_queries(_HERE, "sessions.sql")
F = load_queries(_HERE, "files.sql")


class PostgresTransaction(PostgresRecords):
    """The row-level policies see to it that no other organization's rows are met."""

    def __init__(self, tx: Transaction, org_id: OrgId) -> None:
        super().__init__(tx, org_id)
        self._tx = tx
        self._org_id = org_id
        self._locked: set[WorkspaceId] = set()
        self.opened: list[OpenHead] = []

    async def organization(self) -> Organization | None:
        return await self._tx.fetchrow_as(Organization, R["organization"])

    async def renew_configurations(self) -> None:
        await self._tx.execute(R["renew_configurations"])

    async def _put(self, query: Query, values: tuple[object, ...]) -> None:
        try:
            await self._tx.execute(query, *values)
        except UniqueViolation as error:
            detail = "the name is taken"
            raise NameTaken(detail) from error

    # ── harnesses ───────────────────────────────────────────────────────────────────────────

    async def harness(self, id_: HarnessId) -> Harness | None:
        row = await self._tx.fetchrow_as(HarnessRow, R["harness_by_id"], id_)
        return row.resource() if row else None

    async def harness_named(self, name: str) -> Harness | None:
        row = await self._tx.fetchrow_as(HarnessRow, R["harness_by_name"], name)
        return row.resource() if row else None

    async def harnesses(self, listed: Listed) -> Sequence[Harness]:
        rows = await self._tx.fetch_as(
            HarnessRow,
            R["list_harnesses"],
            list(listed.tokens),
            listed.include_archived,
            PAGE_ROWS_MAX,
        )
        return [row.resource() for row in rows]

    async def put_harness(self, harness: Harness) -> None:
        await self._put(R["put_harness"], harness_values(harness))
        await self._tx.execute(R["raise_heirs"], harness.id)

    async def generations(self, id_: HarnessId) -> int:
        return await self._tx.fetchval_as(int, R["generations"], id_)

    async def rests_on(self, id_: HarnessId) -> int:
        return await self._tx.fetchval_as(int, R["rests_on"], id_)

    # ── agents ──────────────────────────────────────────────────────────────────────────────

    async def agent(self, id_: AgentId, *, lock: bool = False) -> Agent | None:
        query = R["lock_agent_by_id" if lock else "agent_by_id"]
        row = await self._tx.fetchrow_as(AgentRow, query, id_)
        return row.resource() if row else None

    async def agent_named(self, name: str, *, lock: bool = False) -> Agent | None:
        query = R["lock_agent_by_name" if lock else "agent_by_name"]
        row = await self._tx.fetchrow_as(AgentRow, query, name)
        return row.resource() if row else None

    async def agents(self, listed: Listed) -> tuple[Sequence[Agent], int]:
        words, archived = list(listed.tokens), listed.include_archived
        rows = await self._tx.fetch_as(
            AgentRow, R["list_agents"], words, archived, listed.offset, listed.limit
        )
        total = await self._tx.fetchval_as(int, R["count_agents"], words, archived)
        return [row.resource() for row in rows], total

    async def put_agent(self, agent: Agent) -> None:
        await self._put(R["put_agent"], agent_values(agent))

    # ── sessions ────────────────────────────────────────────────────────────────────────────

    async def session(self, id_: SessionId, *, lock: bool = False) -> Session | None:
        query = S["lock_session_by_id" if lock else "session_by_id"]
        row = await self._tx.fetchrow_as(SessionRow, query, id_)
        return row.resource() if row else None

    async def sessions(
        self, listed: Listed, *, agent_id: AgentId | None = None
    ) -> tuple[Sequence[Session], int]:
        words = list(listed.tokens)
        rows = await self._tx.fetch_as(
            SessionRow, S["list_sessions"], words, agent_id, listed.offset, listed.limit
        )
        total = await self._tx.fetchval_as(int, S["count_sessions"], words, agent_id)
        return [row.resource() for row in rows], total

    async def put_session(self, session: Session) -> None:
        await self._tx.execute(S["put_session"], *session_values(session))

    async def begin_delete(self, id_: SessionId) -> bool:
        return await self._tx.execute(S["begin_delete"], id_) > 0

    async def put_off_delete(self, id_: SessionId) -> None:
        await self._tx.execute(S["put_off_delete"], id_)

    async def release_forks(self, id_: SessionId, *, limit: int) -> int:
        forks = [row.id for row in await self._tx.fetch_as(ForkRow, S["forks_of"], id_, limit)]
        for fork in forks:
            await self._own_files(WorkspaceId(fork))
            await self.own_records(fork)
        return len(forks)

    async def finish_delete(self, id_: SessionId) -> None:
        # Who writes there at this moment is waited for: its files would be left behind. Before the
        # session's row, against the order, for nobody locks that once its deletion has begun.
        await self.lock_files(WorkspaceId(id_))
        await self._tx.execute(S["finish_delete"], id_)

    async def open_log(self, head: OpenHead) -> None:
        try:
            now_ms = await self._open_log(head)
            if now_ms:
                head = head.at(now_ms)
                if await self._open_log(head):
                    detail = "the database's clock jumps"
                    raise Unavailable(detail)
        except UniqueViolation as error:
            detail = "the session has a log"
            raise Conflict(detail) from error
        self.opened.append(head)

    async def _open_log(self, head: OpenHead) -> int:
        """When it is, where the event says otherwise and nothing was written; 0 where it was."""
        values: tuple[object, ...] = msgspec.structs.astuple(head)
        return await self._tx.fetchval_as(int, S["open_log"], *values, CLOCK_DRIFT_MS_MAX)

    async def fork_log(self, fork: ForkHead) -> None:
        made = await self._tx.fetchrow_as(
            ForkedRow,
            S["fork_log"],
            fork.session_id,
            fork.org_id,
            fork.source_id,
            fork.seq,
            fork.turn_first_seq,
            fork.now_ms,
            [event.type for event in fork.events],
            [event.turn_id for event in fork.events],
            [event.payload for event in fork.events],
            CLOCK_DRIFT_MS_MAX,
        )
        if made is None or made.last_seq is None:
            raise NotFound(NO_EVENT)

    async def fork_workspace(
        self, workspace_id: WorkspaceId, parent_id: WorkspaceId, *, as_of_ms: int | None
    ) -> None:
        values = (self._org_id, workspace_id, parent_id, as_of_ms)
        await self._tx.execute(F["fork_workspace"], *values)

    async def _own_files(self, *workspaces: WorkspaceId) -> None:
        for workspace_id in sorted(set(workspaces)):
            await self.lock_files(workspace_id)
            await self._tx.execute(F["own_files"], workspace_id)

    # ── workspaces and files ────────────────────────────────────────────────────────────────

    async def workspace(self, id_: WorkspaceId) -> Workspace | None:
        return await self._tx.fetchrow_as(Workspace, F["workspace_by_id"], id_)

    async def workspace_named(self, name: str) -> Workspace | None:
        return await self._tx.fetchrow_as(Workspace, F["workspace_by_name"], name)

    async def workspaces(self, listed: Listed) -> Sequence[Workspace]:
        return await self._tx.fetch_as(
            Workspace,
            F["list_workspaces"],
            list(listed.tokens),
            listed.include_archived,
            PAGE_ROWS_MAX,
        )

    async def put_workspace(self, workspace: Workspace) -> None:
        await self._put(F["put_workspace"], msgspec.structs.astuple(workspace))

    async def files(self, workspace_id: WorkspaceId) -> Sequence[File]:
        return _by_path(await self._tx.fetch_as(File, F["list_files"], workspace_id))

    async def file(self, workspace_id: WorkspaceId, path: str) -> File | None:
        return await self._tx.fetchrow_as(File, F["file_by_path"], workspace_id, path)

    async def files_at(self, workspace_id: WorkspaceId, paths: Sequence[str]) -> Sequence[File]:
        found = await self._tx.fetch_as(File, F["files_by_path"], workspace_id, list(paths))
        return _by_path(found)

    async def lock_files(self, workspace_id: WorkspaceId) -> None:
        if workspace_id not in self._locked:
            await self._tx.execute(F["lock_files"], self._org_id, workspace_id)
            self._locked.add(workspace_id)

    async def move_files(
        self, workspace_id: WorkspaceId, pairs: Sequence[tuple[str, str]], *, now_ms: int
    ) -> None:
        await self._own_files(workspace_id)
        await self._tx.executemany(
            F["move_file"], [(workspace_id, source, target, now_ms) for source, target in pairs]
        )

    async def copy_files(
        self, workspace_id: WorkspaceId, copies: Sequence[tuple[str, str, UUID]], *, now_ms: int
    ) -> None:
        await self._own_files(workspace_id)
        await self._tx.executemany(
            F["copy_file"],
            [(workspace_id, source, target, id_, now_ms) for source, target, id_ in copies],
        )

    async def put_files(self, files: Sequence[File]) -> None:
        await self._own_files(*(file.workspace_id for file in files))
        await self._tx.executemany(
            F["put_file"],
            [
                (
                    file.org_id,
                    file.workspace_id,
                    file.path,
                    file.id,
                    file.is_directory,
                    file.is_readonly,
                    file.size_bytes,
                    file.content,
                    file.created_ms,
                    file.updated_ms,
                )
                for file in files
            ],
        )

    async def size_bytes(self, workspace_id: WorkspaceId) -> int:
        return await self._tx.fetchval_as(int, F["size_bytes"], workspace_id)

    async def remove_files(self, workspace_id: WorkspaceId, paths: Sequence[str]) -> int:
        await self._own_files(workspace_id)
        return await self._tx.execute(F["remove_files"], workspace_id, list(paths))

    # ── keys of requests ────────────────────────────────────────────────────────────────────

    async def claim_key(self, key: RequestKey, *, age_ms: int = 0) -> KeptAnswer | None:
        taken = await self._tx.execute(
            F["claim_key"],
            self._org_id,
            key.route,
            key.key,
            key.body_hash,
            age_ms,
            key.memo,
        )
        if taken:
            return None
        return await self.kept_answer(key)

    async def kept_answer(self, key: RequestKey) -> KeptAnswer | None:
        return await self._tx.fetchrow_as(KeptAnswer, F["kept_answer"], key.route, key.key)

    async def keep_answer(self, key: RequestKey, *, status: int, body: bytes) -> None:
        await self._tx.execute(F["keep_answer"], key.route, key.key, status, body)

    async def drop_key(self, key: RequestKey) -> None:
        await self._tx.execute(F["drop_key"], key.route, key.key)


def _by_path(files: Sequence[File]) -> Sequence[File]:
    """Here, for in SQL each database has an order of letters of its own."""
    return sorted(files, key=lambda file: file.path)
