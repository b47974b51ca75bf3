"""One transaction of the memory twin: the rows of one organization."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from mainspring_api.adapters.memory.files import MemoryFiles
from mainspring_api.adapters.memory.rows import KeyId, KeyRow, Rows
from mainspring_api.domain.naming import matches
from mainspring_api.domain.resources import (
    Agent,
    Harness,
    Organization,
    Session,
    Workspace,
)
from mainspring_api.ports.store import KeptAnswer, Listed, RequestKey
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import NameTaken
from mainspring_kernel.ids import AgentId, HarnessId, OrgId, SessionId, WorkspaceId
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_schema.grants import ForkHead, OpenHead

T = TypeVar("T", Harness, Agent, Workspace)


class MemoryTransaction(MemoryFiles):
    def __init__(self, rows: Rows, org_id: OrgId, clock: Clock) -> None:
        super().__init__(rows, org_id, clock)
        self.opened: list[OpenHead] = []
        self.forked: list[ForkHead] = []

    async def organization(self) -> Organization | None:
        return self._rows.organizations.get(self._org_id)

    async def renew_configurations(self) -> None:
        found = self._rows.organizations[self._org_id]
        renewed = msgspec.structs.replace(found, rev=found.rev + 1)
        self._rows.organizations[self._org_id] = renewed

    # ── harnesses ───────────────────────────────────────────────────────────────────────────

    async def harness(self, id_: HarnessId) -> Harness | None:
        return living(self._rows.harnesses.get((self._org_id, id_)))

    async def harness_named(self, name: str) -> Harness | None:
        return named(self._own(self._rows.harnesses.values()), name)

    async def harnesses(self, listed: Listed) -> Sequence[Harness]:
        found = matching(self._own(self._rows.harnesses.values()), listed)
        return sorted(found, key=lambda harness: harness.name)

    async def put_harness(self, harness: Harness) -> None:
        self._check_owner(harness.org_id)
        check_free(self._own(self._rows.harnesses.values()), harness)
        self._rows.harnesses[self._org_id, harness.id] = harness
        self._raise_heirs(harness.id)

    def _raise_heirs(self, id_: HarnessId) -> None:
        for key, heir in list(self._rows.harnesses.items()):
            if key[0] == self._org_id and heir.parent_id == id_:
                self._rows.harnesses[key] = msgspec.structs.replace(heir, rev=heir.rev + 1)
                self._raise_heirs(heir.id)

    async def generations(self, id_: HarnessId) -> int:
        heirs = [one for one in self._own(self._rows.harnesses.values()) if one.parent_id == id_]
        below = [await self.generations(one.id) for one in heirs if one.status != "deleted"]
        return 1 + max(below) if below else 0

    async def rests_on(self, id_: HarnessId) -> int:
        harnesses = self._own(self._rows.harnesses.values())
        agents = self._own(self._rows.agents.values())
        named_by = [one.status for one in harnesses if one.parent_id == id_]
        named_by += [one.status for one in agents if one.harness_id == id_]
        return sum(status != "deleted" for status in named_by)

    # ── agents ──────────────────────────────────────────────────────────────────────────────

    async def agent(self, id_: AgentId, *, lock: bool = False) -> Agent | None:
        del lock  # transactions run one after the other
        return living(self._rows.agents.get((self._org_id, id_)))

    async def agent_named(self, name: str, *, lock: bool = False) -> Agent | None:
        del lock  # transactions run one after the other
        return named(self._own(self._rows.agents.values()), name)

    async def agents(self, listed: Listed) -> tuple[Sequence[Agent], int]:
        found = matching(self._own(self._rows.agents.values()), listed)
        found.sort(key=lambda agent: (agent.created_ms, agent.id), reverse=True)
        return found[listed.offset : listed.offset + listed.limit], len(found)

    async def put_agent(self, agent: Agent) -> None:
        self._check_owner(agent.org_id)
        check_free(self._own(self._rows.agents.values()), agent)
        self._rows.agents[self._org_id, agent.id] = agent

    # ── sessions ────────────────────────────────────────────────────────────────────────────

    async def session(self, id_: SessionId, *, lock: bool = False) -> Session | None:
        del lock  # transactions run one after the other
        if id_ in self._rows.deleting:
            return None
        return self._rows.sessions.get((self._org_id, id_))

    async def sessions(
        self, listed: Listed, *, agent_id: AgentId | None = None
    ) -> tuple[Sequence[Session], int]:
        found = [
            session
            for (org_id, id_), session in self._rows.sessions.items()
            if org_id == self._org_id
            and id_ not in self._rows.deleting
            and (agent_id is None or session.agent_id == agent_id)
            and matches(listed.tokens, session.title)
        ]
        found.sort(key=lambda session: (session.created_ms, session.id), reverse=True)
        return found[listed.offset : listed.offset + listed.limit], len(found)

    async def put_session(self, session: Session) -> None:
        self._check_owner(session.org_id)
        self._rows.sessions[self._org_id, session.id] = session

    async def begin_delete(self, id_: SessionId) -> bool:
        if (self._org_id, id_) not in self._rows.sessions:
            return False
        self._rows.deleting.setdefault(id_, self._clock.wall_ms())
        return True

    async def put_off_delete(self, id_: SessionId) -> None:
        if id_ in self._rows.deleting:
            self._rows.deleting[id_] = self._clock.wall_ms()

    async def release_forks(self, id_: SessionId, *, limit: int) -> int:
        readers = [*self._rows.forks.items(), *self._rows.record_forks.items()]
        forks = sorted(
            {
                fork
                for (org_id, fork), (parent, _) in readers
                if org_id == self._org_id and parent == id_
            }
        )
        for fork in forks[:limit]:
            self._own_files(WorkspaceId(fork))
            await self.own_records(fork)
        return len(forks[:limit])

    async def finish_delete(self, id_: SessionId) -> None:
        own = self._rows.sessions.get((self._org_id, id_))
        if own is not None and self._rows.deleting.pop(id_, None) is not None:
            del self._rows.sessions[self._org_id, id_]
            self._drop_files(WorkspaceId(id_))

    async def open_log(self, head: OpenHead) -> None:
        at_ms = self._dated(head.ts_ms)
        self.opened.append(head if at_ms == head.ts_ms else head.at(at_ms))

    async def fork_log(self, fork: ForkHead) -> None:
        self.forked.append(msgspec.structs.replace(fork, now_ms=self._dated(fork.now_ms)))

    def _dated(self, asked_ms: int) -> int:
        """A caller's clock may be wrong."""
        now_ms = self._clock.wall_ms()
        return now_ms if abs(asked_ms - now_ms) > CLOCK_DRIFT_MS_MAX else asked_ms

    # ── workspaces ────────────────────────────────────────────────────────────────

    async def workspace(self, id_: WorkspaceId) -> Workspace | None:
        return living(self._rows.workspaces.get((self._org_id, id_)))

    async def workspace_named(self, name: str) -> Workspace | None:
        active = [one for one in self._rows.workspaces.values() if one.status == "active"]
        return named(self._own(active), name)

    async def workspaces(self, listed: Listed) -> Sequence[Workspace]:
        found = matching(self._own(self._rows.workspaces.values()), listed)
        return sorted(found, key=lambda one: (one.created_ms, one.id), reverse=True)

    async def put_workspace(self, workspace: Workspace) -> None:
        self._check_owner(workspace.org_id)
        if workspace.status == "active":
            others = [one for one in self._rows.workspaces.values() if one.status == "active"]
            check_free(self._own(others), workspace)
        self._rows.workspaces[self._org_id, workspace.id] = workspace

    # ── keys of requests ────────────────────────────────────────────────────────────────────

    async def claim_key(self, key: RequestKey, *, age_ms: int = 0) -> KeptAnswer | None:
        kept = await self.kept_answer(key)
        if kept is None:
            answer = KeptAnswer(body_hash=key.body_hash, body=key.memo)
            claimed_ms = self._clock.wall_ms() - age_ms
            self._rows.keys[self._key(key)] = KeyRow(answer=answer, claimed_ms=claimed_ms)
        return kept

    async def kept_answer(self, key: RequestKey) -> KeptAnswer | None:
        row = self._rows.keys.get(self._key(key))
        if row is None:
            return None
        return msgspec.structs.replace(row.answer, age_ms=self._clock.wall_ms() - row.claimed_ms)

    async def keep_answer(self, key: RequestKey, *, status: int, body: bytes) -> None:
        row = self._rows.keys.get(self._key(key))
        if row is not None:
            answer = msgspec.structs.replace(row.answer, status=status, body=body)
            self._rows.keys[self._key(key)] = msgspec.structs.replace(row, answer=answer)

    async def drop_key(self, key: RequestKey) -> None:
        self._rows.keys.pop(self._key(key), None)

    def _key(self, key: RequestKey) -> KeyId:
        return KeyId(self._org_id, key.route, key.key)

    def _own(self, rows: Iterable[T]) -> list[T]:
        return [row for row in rows if row.org_id == self._org_id]


def living(row: T | None) -> T | None:
    return row if row is not None and row.status != "deleted" else None


def named(rows: Iterable[T], name: str) -> T | None:
    return next((row for row in rows if row.name == name and row.status != "deleted"), None)


def matching(rows: Iterable[T], listed: Listed) -> list[T]:
    wanted = {"active", "archived"} if listed.include_archived else {"active"}
    return [
        row
        for row in rows
        if row.status in wanted and matches(listed.tokens, row.name, label(row), row.description)
    ]


def label(row: Harness | Agent | Workspace) -> str | None:
    return None if isinstance(row, Workspace) else row.display_name


def check_free(rows: Iterable[T], row: T) -> None:
    other = named(rows, row.name) if row.status != "deleted" else None
    if other is not None and other.id != row.id:
        msg = f"the name {row.name!r} is taken"
        raise NameTaken(msg)
