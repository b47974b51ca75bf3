"""The two stores side by side, and a session to write with."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from mainspring_engine.adapters.memory import MemoryStore, memory_backstage
from mainspring_engine.adapters.postgres import PostgresStore, postgres_backstage
from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.changes import (
    Accept,
    Changes,
    Claim,
    CloseTask,
    NewEvent,
    NewTask,
    StepResult,
    WorkflowChange,
)
from mainspring_engine.domain.limits import READY_GROUPS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import (
    Closing,
    Effect,
    Head,
    Outcome,
    TaskKind,
    TaskState,
)
from mainspring_engine.ports.backstage import Backstage
from mainspring_engine.ports.store import (
    AttachRow,
    Claimed,
    ClaimRequest,
    Committed,
    Renewal,
    Store,
    Want,
)
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import ManualClock, SystemClock
from mainspring_kernel.ids import RandomIds
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_postgres import Database, Query
from mainspring_schema.chain import link
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import DeltaAppend, OpenHead, SessionStatus

IDS = RandomIds(SystemClock())
ROUTE = Route(queue="default", model="llmsim")


class World(Protocol):
    """A store with what only a test may do to it."""

    @property
    def store(self) -> Store: ...

    @property
    def backstage(self) -> Backstage: ...

    def now_ms(self) -> int: ...

    async def open(self, heads: Sequence[OpenHead]) -> None: ...

    async def append_delta(self, delta: DeltaAppend) -> None: ...

    async def pass_time(self, seconds: float) -> None:
        """Everything in the store becomes older by this much."""
        ...

    async def effect_state(self, workflow_id: UUID, step: str) -> int: ...

    async def attempts(self, task_id: UUID) -> list[tuple[int, int]]:
        """Fence and closing of a task's closed attempts."""
        ...


class MemoryWorld:
    def __init__(self) -> None:
        self.clock = ManualClock(wall_ms=time.time_ns() // 1_000_000)
        self.lock = threading.RLock()
        self.log = MemoryLog(lock=self.lock, clock=self.clock)
        self.memory = MemoryStore(lock=self.lock, log=self.log, clock=self.clock, settle_s=0)
        self.backstage = memory_backstage(self.memory, lock=self.lock, clock=self.clock)

    @property
    def store(self) -> Store:
        return self.memory

    def now_ms(self) -> int:
        return self.clock.wall_ms()

    async def open(self, heads: Sequence[OpenHead]) -> None:
        self.log.open(heads)

    async def append_delta(self, delta: DeltaAppend) -> None:
        self.log.append_deltas([delta])

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def effect_state(self, workflow_id: UUID, step: str) -> int:
        return self.memory.tables.effects[workflow_id, step].state

    async def attempts(self, task_id: UUID) -> list[tuple[int, int]]:
        rows = self.memory.tables.attempts.values()
        return sorted((row.fence, int(row.closing)) for row in rows if row.task_id == task_id)


def query(sql: str) -> Query:
    return Query(name="test", purpose="Looks where the port does not.", sql=sql)


AGE = """
with seconds as (select $1::float8 * interval '1 second' as older),
bounds as (update engine.start_bound set due_at = due_at - older from seconds),
tasks as (
    update engine.task set
        lease_until = lease_until - older, stamped_at = stamped_at - older,
        claimed_at = claimed_at - older, run_at = run_at - older
    from seconds
),
sweeps as (update engine.sweep set swept_at = swept_at - older from seconds),
signals as (
    update engine.signal set created_at = created_at - older, tried_at = tried_at - older
    from seconds
),
replicas as (update engine.replica set seen_at = seen_at - older from seconds),
budgets as (
    update engine.budget set
        period_started_at = period_started_at - older, renews_at = renews_at - older
    from seconds
),
resolutions as (
    update engine.resolution set due_at = due_at - older, tried_at = tried_at - older from seconds
),
workers as (
    update engine.worker set
        attached_at = attached_at - older, left_at = left_at - older,
        silent_at = silent_at - older, drained_at = drained_at - older
    from seconds
)
update engine.timer set due_at = due_at - older from seconds
"""


class PostgresWorld:
    """`owner` is the superuser's connection."""

    def __init__(self, owner: Database, database: Database) -> None:
        self.owner = owner
        self.database = database
        self.postgres = PostgresStore(database, settle_s=0)
        self.backstage = postgres_backstage(database)

    @property
    def store(self) -> Store:
        return self.postgres

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def open(self, heads: Sequence[OpenHead]) -> None:
        opened = query("select log.open_v2($1, $2, $3, $4, $5, $6, $7)")
        for head in heads:
            await self.owner.fetch(opened, *msgspec.structs.astuple(head), CLOCK_DRIFT_MS_MAX)

    async def append_delta(self, delta: DeltaAppend) -> None:
        await self.owner.fetch(
            query("select log.append_deltas_v1($1, $2, $3, $4, $5, $6, $7, $8)"),
            *([value] for value in msgspec.structs.astuple(delta)),
        )

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute(query(AGE), seconds)

    async def effect_state(self, workflow_id: UUID, step: str) -> int:
        found = query("select state from engine.effect where workflow_id = $1 and step = $2")
        return await self.owner.fetchval_as(int, found, workflow_id, step)

    async def flush_statistics(self) -> None:
        """Each backend keeps its counts for a while; they are about to be read."""
        for database in (self.owner, self.database):
            await database.fetch(query("select pg_stat_force_next_flush()"))

    async def attempts(self, task_id: UUID) -> list[tuple[int, int]]:
        found = query("select fence, closing from engine.attempt where task_id = $1 order by 1")
        return [(row["fence"], row["closing"]) for row in await self.owner.fetch(found, task_id)]


class Session:
    """Writes as an engine would: it remembers its head and proposes the next."""

    def __init__(self, world: World, org_id: UUID) -> None:
        self.world = world
        self.id = IDS.uuid7()
        self.org_id = org_id
        self.turn = IDS.uuid7()
        self.rev = 0
        self.head = Head(
            session_id=self.id,
            org_id=org_id,
            last_seq=1,
            hash=b"h" * 32,
            ts_ms=world.now_ms(),
            status=SessionStatus.STARTED,
        )

    @classmethod
    async def opened(cls, world: World, org_id: UUID | None = None) -> "Session":
        session = cls(world, org_id or IDS.uuid7())
        head = OpenHead(
            session_id=session.id,
            org_id=session.org_id,
            type="session.created",
            ts_ms=session.head.ts_ms,
            payload=b"{}",
            hash=session.head.hash,
        )
        await world.open([head])
        return session

    def changes(self, *, events: int = 1, at_ms: int | None = None, **rest: object) -> Changes:
        """The next item: some events, and whatever else is given."""
        after = self.head
        made: list[NewEvent] = []
        now_ms = max(self.world.now_ms(), after.ts_ms) if at_ms is None else at_ms
        for _ in range(events):
            seq = after.last_seq + 1
            digest = link(
                after.hash, session_id=self.id, seq=seq, type_="x.y", ts_ms=now_ms, payload=b"{}"
            )
            made.append(
                NewEvent(
                    seq=seq, type="x.y", ts_ms=now_ms, turn_id=None, payload=b"{}", hash=digest
                )
            )
            after = msgspec.structs.replace(after, last_seq=seq, hash=digest, ts_ms=now_ms)
        plain = Changes(expected=self.head, after=after, events=tuple(made))
        return msgspec.structs.replace(plain, **rest)

    def workflow(
        self, *, outcome: Outcome = Outcome.RUNNING, state: bytes = b"s"
    ) -> WorkflowChange:
        return WorkflowChange(
            id=self.turn,
            expected_rev=self.rev,
            ordinal=1,
            outcome=outcome,
            state=state,
            config_hash=b"c" * 32,
            traceparent="trace",
            started_ms=1,
        )

    def task(
        self,
        step: str = "reason:1",
        *,
        claim: Claim | None = None,
        effect: Effect = Effect.PURE,
        route: Route = ROUTE,
        priority: int = 0,
        payload: bytes | None = None,
    ) -> NewTask:
        return NewTask(
            id=IDS.uuid7(),
            workflow_id=self.turn,
            kind=TaskKind.REASON,
            route=route,
            priority=priority,
            effect=effect,
            step=step,
            payload=step.encode() if payload is None else payload,
            claim=claim,
        )

    def accept(self, *, key: str | None = None, consumed: bool = False) -> Accept:
        return Accept(
            message_id=IDS.uuid4(),
            seq=self.head.last_seq + 1,
            ts_ms=1,
            config_hash=b"c" * 32,
            turn_id=self.turn,
            consumed_by=self.turn if consumed else None,
            idempotency_key=key,
            body_hash=b"b" * 32,
        )

    async def commit(self, changes: Changes) -> Committed:
        """Remembers the head where it was committed."""
        (reply,) = await self.world.store.commit((changes,))
        if reply.verdict is Verdict.COMMITTED:
            self.head = changes.after
            self.rev += any(change.id == self.turn for change in changes.workflows)
        return reply

    async def start_turn(self, *tasks: NewTask) -> Committed:
        """Begins the turn, or goes on with it, with these tasks."""
        reply = await self.commit(self.changes(workflows=(self.workflow(),), tasks=tasks))
        assert reply.verdict is Verdict.COMMITTED, reply
        return reply


async def claim(store: Store, *wants: Want, **rest: object) -> tuple[Claimed, ...]:
    """With every group that a pass over the ready index finds, each read to its end."""
    routes = {want.route for want in wants}
    found: list[ReadyGroup] = []
    after: Group | None = None
    while page := (await store.ready_groups(after, READY_GROUPS_MAX)).groups:
        found += [ready for ready in page if ready.group.route in routes]
        after = page[-1].group
    groups = tuple(msgspec.structs.replace(ready, depth=10_000) for ready in found)
    plain = ClaimRequest(wants=wants, groups=groups)
    return await store.claim(msgspec.structs.replace(plain, **rest))


class Worker:
    """An incarnation attached to the store."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.id = IDS.uuid7()
        self.attach_number = 1

    @classmethod
    async def attached(cls, world: World) -> "Worker":
        worker = cls(world)
        await world.store.attach((worker.attach_row(),))
        return worker

    def attach_row(self, *held: Held) -> AttachRow:
        return AttachRow(
            incarnation=self.id,
            attach_number=self.attach_number,
            name="worker",
            build="b1",
            held=held,
        )

    @property
    def claim(self) -> Claim:
        return Claim(incarnation=self.id, attach_number=self.attach_number, taken_s=0)

    def renewal(self, held: Held) -> Renewal:
        return Renewal(held=held, incarnation=self.id)

    def want(self, limit: int, route: Route = ROUTE) -> Want:
        return Want(route=route, incarnation=self.id, attach_number=self.attach_number, limit=limit)

    async def take(self, limit: int, route: Route = ROUTE) -> tuple[Claimed, ...]:
        return await claim(self.world.store, self.want(limit, route))


def close(task: Held, *, result_hash: bytes = b"r" * 32, **rest: object) -> CloseTask:
    plain = CloseTask(
        task_id=task.task_id,
        fence=task.fence,
        expected=TaskState.LEASED,
        closing=Closing.RESULT,
        result_hash=result_hash,
    )
    return msgspec.structs.replace(plain, **rest)


def result(session: Session, task: Held, step: str = "reason:1") -> StepResult:
    return StepResult(
        workflow_id=session.turn,
        step=step,
        task_id=task.task_id,
        fence=task.fence,
        body=b"body",
        hash=b"r" * 32,
    )
