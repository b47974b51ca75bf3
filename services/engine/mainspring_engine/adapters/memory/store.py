"""The port over dictionaries. Backs `dev` and the simulator; gone with its process."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from uuid import UUID

from mainspring_engine.adapters.memory.budgets import BudgetTables, MemoryBudgets
from mainspring_engine.adapters.memory.dispatch import Dispatch, may_release
from mainspring_engine.adapters.memory.inbox import MemoryInbox
from mainspring_engine.adapters.memory.judging import judge
from mainspring_engine.adapters.memory.plain import MemoryPlain
from mainspring_engine.adapters.memory.progress import MemoryProgress
from mainspring_engine.adapters.memory.retention import MemoryRetention
from mainspring_engine.adapters.memory.suspects import due_retries
from mainspring_engine.adapters.memory.tables import InboxEntry, Tables, TaskRow
from mainspring_engine.adapters.memory.workflows import MemoryWorkflows
from mainspring_engine.adapters.memory.writing import LEASE_MS, write
from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.limits import POSTGRES_SETTLE_S
from mainspring_engine.domain.loss import LOSS_RESTS_MS
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Head, OpenTask, TaskState, View
from mainspring_engine.ports.log import GrantedLog
from mainspring_engine.ports.store import (
    AttachReply,
    AttachRow,
    Claimed,
    ClaimRequest,
    Committed,
    DueTimer,
    Ended,
    ExpiredTask,
    Handed,
    ReadyPage,
    Release,
    Renewal,
    Renewed,
    Step,
)
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.limits import LEASE_RENEW_AFTER_S
from mainspring_schema import grants
from mainspring_schema.chain import GENESIS
from mainspring_schema.frames import Verdict

_STARTED = 2


class MemoryStore:
    """`lock` is shared by all twins of the process and re-entrant; `log` is the log's twin."""

    def __init__(
        self,
        *,
        lock: AbstractContextManager[object],
        log: GrantedLog,
        clock: Clock,
        settle_s: float = POSTGRES_SETTLE_S,
    ) -> None:
        self._lock = lock
        self._log = log
        self._clock = clock
        self._settled_ms = clock.wall_ms() + round(settle_s * 1000)
        self.tables = Tables()
        self._dispatch = Dispatch(self.tables)
        self.workflows = MemoryWorkflows(self.tables, lock, clock)
        self.plain = MemoryPlain(self.tables, lock, clock)
        self.progress = MemoryProgress(self.tables, lock)
        self.retention = MemoryRetention(self.tables, lock, clock)
        self._spending = BudgetTables(self.tables)
        self.inbox = MemoryInbox(self.tables, lock)
        self.budgets = MemoryBudgets(self._spending, lock, clock)

    # ── sessions ────────────────────────────────────────────────────────────────────────────────

    async def commit(self, flight: tuple[Changes, ...]) -> tuple[Committed, ...]:
        if len({changes.expected.session_id for changes in flight}) < len(flight):
            message = "a flight has at most one item per session"
            raise ValueError(message)
        with self._lock:
            return tuple(self._commit(changes) for changes in flight)

    def _commit(self, changes: Changes) -> Committed:
        now_ms = self._clock.wall_ms()
        heads = self._log.lock([changes.expected.session_id])
        head = heads[0] if heads else None
        if changes.start is not None and head is None:
            head = _unopened(changes)
        judged = judge(self.tables, changes, head, now_ms)
        unclaimed: tuple[UUID, ...] = ()
        if judged.verdict is Verdict.COMMITTED and not self._spending.fits(changes, now_ms):
            return Committed(verdict=Verdict.CONFLICT, now_ms=now_ms)
        if judged.verdict is Verdict.COMMITTED:
            try:
                unclaimed = write(self.tables, self._log, changes, now_ms)
                self._spend(changes, now_ms)
            except MainspringError as error:
                return Committed(verdict=Verdict.INVALID, now_ms=now_ms, problem=str(error))
        committed = judged.verdict is Verdict.COMMITTED
        return Committed(
            verdict=judged.verdict,
            now_ms=now_ms,
            deltas_before=head.n if committed and head is not None and changes.events else 0,
            closes=judged.closes,
            marks=judged.marks,
            emits=judged.emits,
            unclaimed=unclaimed,
            known=judged.known,
            view=self._view(heads[0] if heads else None)
            if judged.verdict is Verdict.CONFLICT
            else None,
            started=judged.started,
        )

    def _spend(self, changes: Changes, now_ms: int) -> None:
        before, after = changes.expected, changes.after
        if before.paused != after.paused:
            self._log.pause([before.session_id], paused=after.paused)
        self._spending.spend(changes, now_ms)

    async def load(self, sessions: tuple[UUID, ...]) -> dict[UUID, View]:
        with self._lock:
            return {head.session_id: self._view(head) for head in self._log.lock(sessions)}

    def _view(self, head: grants.Head | None) -> View:
        if head is None:
            return View(head=None, workflow=None)
        newest = self.tables.newest.get(head.session_id)
        entries = self.tables.inbox.get(head.session_id, {}).values()
        waiting = sorted((e for e in entries if e.workflow_id is None), key=InboxEntry.stands)
        return View(
            head=_head(head),
            workflow=None if newest is None else self.tables.workflows[newest],
            inbox=tuple(entry.waiting() for entry in waiting),
        )

    async def open_tasks(self, workflows: tuple[UUID, ...]) -> dict[UUID, tuple[OpenTask, ...]]:
        with self._lock:
            found: dict[UUID, tuple[OpenTask, ...]] = {}
            for task in sorted(self.tables.tasks.values(), key=lambda t: t.id.int):
                if task.workflow_id in workflows:
                    found[task.workflow_id] = (*found.get(task.workflow_id, ()), task.open())
            return found

    async def steps(self, wanted: tuple[Step, ...]) -> dict[tuple[UUID, str], bytes]:
        with self._lock:
            keys = [(step.workflow_id, step.step) for step in wanted]
            return {key: self.tables.steps[key].body for key in keys if key in self.tables.steps}

    async def configs(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        with self._lock:
            known = self.tables.configs
            return {digest: known[digest] for digest in hashes if digest in known}

    # ── tasks ───────────────────────────────────────────────────────────────────────────────────

    async def ready_groups(self, after: Group | None, limit: int) -> ReadyPage:
        with self._lock:
            return self._dispatch.ready_groups(after, limit)

    async def depths(self, groups: tuple[ReadyGroup, ...]) -> tuple[int, ...]:
        with self._lock:
            return tuple(self._dispatch.depth(ready) for ready in groups)

    async def claim(self, request: ClaimRequest) -> tuple[Claimed, ...]:
        with self._lock:
            return self._dispatch.claim(request, self._clock.wall_ms())

    async def attach(self, attach_rows: tuple[AttachRow, ...]) -> tuple[AttachReply, ...]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            return tuple(self._dispatch.attach(attach_row, now_ms) for attach_row in attach_rows)

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[Renewed, ...]:
        with self._lock:
            return tuple(self._renew(renewal) for renewal in renewals)

    def _renew(self, renewal: Renewal) -> Renewed:
        now_ms = self._clock.wall_ms()
        task = self._of(renewal)
        if task is None:
            return Renewed(held=renewal.held, lost=True, cancelling=False)
        old = task.stamped_ms < now_ms - round(LEASE_RENEW_AFTER_S * 1000)
        if old or not task.acknowledged:
            task.acknowledged = True
            task.rev += 1
            task.stamp(now_ms, LEASE_MS)
        return Renewed(held=renewal.held, lost=False, cancelling=task.cancelling)

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        with self._lock:
            for task in filter(None, map(self._carried, handed)):
                task.rev += not task.acknowledged
                task.acknowledged = True

    async def lapse(self, handed: tuple[Handed, ...]) -> tuple[Verdict, ...]:
        with self._lock:
            tasks = [self._carried(one) for one in handed]
            for task in filter(None, tasks):
                task.lapse(self._clock.wall_ms())
            return tuple(Verdict.STALE if task is None else Verdict.COMMITTED for task in tasks)

    def _carried(self, one: Handed) -> TaskRow | None:
        task = self._of(Renewal(held=one.held, incarnation=one.incarnation))
        return task if task is not None and task.attach_number == one.attach_number else None

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        with self._lock:
            return tuple(self._start(start) for start in starts)

    def _start(self, start: Renewal) -> Verdict:
        task = self._of(start)
        if task is None or task.cancelling:
            return Verdict.STALE
        if task.started_fence == task.fence:
            return Verdict.DUPLICATE
        if task.effect.needs_start and task.started_fence > 0:
            return Verdict.STALE
        task.started_fence = task.fence
        task.acknowledged = True
        task.rev += 1
        effect = self.tables.effects.get((task.workflow_id, task.step))
        if effect is not None:
            effect.state, effect.fence, effect.rev = _STARTED, task.fence, task.rev
        return Verdict.COMMITTED

    def _of(self, renewal: Renewal) -> TaskRow | None:
        """The task, where this very attempt holds it."""
        task = self.tables.tasks.get(renewal.held.task_id)
        if task is None or task.state is not TaskState.LEASED or task.held != renewal.held:
            return None
        return task if task.incarnation == renewal.incarnation else None

    async def expired(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[ExpiredTask, ...]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            self.tables.sweeps["leases"] = now_ms
            if now_ms <= self._settled_ms:
                return ()
            over = [
                task
                for task in self._leased()
                if task.lease_until_ms < now_ms and task.id not in but
            ]
            over.sort(key=lambda task: task.lease_until_ms)
            return tuple(self._expired(task) for task in over[:limit])

    def _expired(self, task: TaskRow) -> ExpiredTask:
        return task.expired(self.tables.workflows.get(task.workflow_id))

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        with self._lock:
            mine = [task for task in self._leased() if task.incarnation == incarnation]
            mine.sort(key=lambda task: task.id.int)
            return tuple(self._expired(task) for task in mine)

    def _leased(self) -> list[TaskRow]:
        return [task for task in self.tables.tasks.values() if task.state is TaskState.LEASED]

    def hold(self, task_id: UUID, fence: int) -> tuple[UUID, UUID] | None:
        """What `engine.hold_v1` grants to api: session and organization of a task held at `fence`.

        Synchronous, for the caller holds the shared lock over its transaction.
        """
        with self._lock:
            task = self.tables.tasks.get(task_id)
            if task is None or task.state is not TaskState.LEASED or task.fence != fence:
                return None
            return task.session_id, task.org_id

    async def release(self, releases: tuple[Release, ...]) -> tuple[Verdict, ...]:
        with self._lock:
            return tuple(self._release(release) for release in releases)

    def _release(self, release: Release) -> Verdict:
        now_ms = self._clock.wall_ms()
        task = self.tables.tasks.get(release.held.task_id)
        if task is None or not may_release(task, release, now_ms):
            return Verdict.STALE
        dies = release.counts_death and task.acknowledged
        if not dies and task.uncounted >= len(LOSS_RESTS_MS):
            return Verdict.STALE
        rest_ms = 0 if dies else LOSS_RESTS_MS[task.uncounted]
        waits = bool(rest_ms)
        self.tables.close_attempt(task, release.closing, now_ms=now_ms)
        if dies:
            task.die()
            waits = task.is_suspect
        else:
            task.uncounted += 1
        task.let_go(TaskState.DELAYED if waits else TaskState.READY, now_ms + rest_ms)
        return Verdict.COMMITTED

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    async def ready_retries(self, limit: int) -> tuple[Route, ...]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            self.tables.sweeps["retries"] = now_ms
            due = due_retries(self.tables, now_ms, limit)
            for task in due:
                task.state = TaskState.READY
                task.rev += 1
            return tuple(task.route for task in due)

    async def due_timers(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[DueTimer, ...]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            self.tables.sweeps["timers"] = now_ms
            rows = [*self.tables.timers.values(), *self.tables.start_bounds.values()]
            due = [timer for timer in rows if timer.due_ms <= now_ms and timer.id not in but]
            due.sort(key=lambda timer: timer.due_ms)
            return tuple(
                DueTimer(
                    id=timer.id,
                    workflow_id=timer.workflow_id,
                    session_id=timer.session_id,
                    org_id=timer.org_id,
                    kind=timer.kind,
                )
                for timer in due[:limit]
            )

    async def ended_lately(self, *, within_ms: int, limit: int) -> tuple[Ended, ...]:
        with self._lock:
            after_ms = self._clock.wall_ms() - within_ms
            rows = [
                row
                for row in self.tables.attempts.values()
                if row.closed_ms >= after_ms and row.workflow_id in self.tables.workflows
            ]
            rows.sort(key=lambda row: row.closed_ms, reverse=True)
            return tuple(row.ended(self.tables.workflows[row.workflow_id]) for row in rows[:limit])

    async def sweep_ages_ms(self) -> dict[str, int]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            return {kind: now_ms - stamped for kind, stamped in self.tables.sweeps.items()}

    async def make_partitions(self) -> int:
        return 0

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        with self._lock:
            before_ms = self._clock.wall_ms() - older_than_ms
            old = [key for key, row in self.tables.keys.items() if row.created_ms < before_ms]
            for key in old[:limit]:
                del self.tables.keys[key]
            return len(old[:limit])

    async def epoch(self) -> int:
        with self._lock:
            return self._log.epoch

    async def ping(self) -> None:
        pass


def _unopened(changes: Changes) -> grants.Head:
    """The head that this item opens, if it is written."""
    before = changes.expected
    return grants.Head(
        session_id=before.session_id,
        org_id=before.org_id,
        last_seq=0,
        n=0,
        hash=GENESIS,
        ts_ms=0,
        status=before.status,
        paused=False,
        active_turn=None,
        turn_first_seq=0,
        closed=False,
    )


def _head(head: grants.Head) -> Head:
    return Head(
        session_id=head.session_id,
        org_id=head.org_id,
        last_seq=head.last_seq,
        hash=head.hash,
        ts_ms=head.ts_ms,
        status=head.status,
        paused=head.paused,
        active_turn=head.active_turn,
        turn_first_seq=head.turn_first_seq,
        closed=head.closed,
    )
