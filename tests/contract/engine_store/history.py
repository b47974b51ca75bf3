"""A random history of store operations, done on both stores, whose answers must agree.

The simulator trusts the memory twin; this is what that trust rests on.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, TypeVar, cast

import msgspec
from typing_extensions import override

from mainspring_engine.adapters.memory import MemoryStore, memory_backstage
from mainspring_engine.domain.changes import (
    Changes,
    CloseTask,
    EmitCounter,
    MarkTask,
    NewTask,
    StepResult,
    Timer,
)
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, TaskState
from mainspring_engine.ports.store import Handed, Release, Renewal, Store
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import SystemClock
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import OpenHead
from tests.contract.engine_store.engine_worlds import (
    IDS,
    MemoryWorld,
    PostgresWorld,
    Session,
    Worker,
    World,
    claim,
)

A = TypeVar("A")
SESSIONS_MAX: Final = 6
WORKERS: Final = 3
HELD_KEPT: Final = 24
PASSES_S: Final = (0.0, 4.0, 11.0)
"""Too short for anything, past a renewal, past a lease."""
EDGE_MS: Final = 1_000
"""What a busy machine may take between an answer of the one store and that of the other."""


class Apart(AssertionError):
    """The stores answered differently."""


class OlderMemory(MemoryWorld):
    """Ages its rows, as the other world does, by the machine's clock: both have one present."""

    def __init__(self) -> None:
        super().__init__()
        clock = SystemClock()
        self.log = MemoryLog(lock=self.lock, clock=clock)
        self.memory = MemoryStore(lock=self.lock, log=self.log, clock=clock, settle_s=0)
        self.backstage = memory_backstage(self.memory, lock=self.lock, clock=clock)

    @override
    async def pass_time(self, seconds: float) -> None:
        older = round(seconds * 1000)
        tables = self.memory.tables
        for task in tables.tasks.values():
            task.ready_ms -= older
            task.claimed_ms -= older
            task.stamped_ms -= older
            task.lease_until_ms -= older if task.lease_until_ms else 0
        for id_, timer in tables.timers.items():
            tables.timers[id_] = msgspec.structs.replace(timer, due_ms=timer.due_ms - older)

    def on_the_edge(self) -> bool:
        """Whether something is just about due: the other store, asked later, may find it is."""
        now_ms, tables = self.log.clock.wall_ms(), self.memory.tables
        first_ms, last_ms = now_ms - EDGE_MS, now_ms + EDGE_MS
        return any(
            first_ms < task.lease_until_ms < last_ms or now_ms < task.ready_ms < last_ms
            for task in tables.tasks.values()
        )


class History:
    """Draws operations from what it knows. `seen` counts verdicts and answers by operation."""

    def __init__(self, memory: OlderMemory, postgres: PostgresWorld, seed: int) -> None:
        self.worlds: Final = (memory, postgres)
        self.draws = Random(seed)
        self.route = Route(queue=f"history-{IDS.uuid4().hex}", model="llmsim")
        self.sessions: list[Session] = []
        self.workers: list[Worker] = []
        self.tasks: list[tuple[Session, NewTask]] = []
        self.held: list[Held] = []
        self.seen: Counter[str] = Counter()
        self.done: list[str] = []

    async def begin(self) -> None:
        for _ in range(WORKERS):
            worker = Worker(self.worlds[0])
            self.workers.append(worker)
            await self._both("attach", lambda s, w=worker: s.attach((w.attach_row(),)))
        await self._open()

    async def step(self) -> None:
        """One operation, drawn; raises Apart where the answers differ."""
        while self.worlds[0].on_the_edge():
            await self._pass(2 * EDGE_MS / 1_000)
        operations = self.operations()
        (operation,) = self.draws.choices(
            [one for one, _ in operations], [weight for _, weight in operations]
        )
        await operation()

    def operations(self) -> list[tuple[Callable[[], Awaitable[None]], int]]:
        """What may come next, each with its weight."""
        return [
            (self._open, 1),
            (self._work, 4),
            (self._answer, 6),
            (self._mark, 2),
            (self._emit, 3),
            (self._claim, 4),
            (self._renew, 3),
            (self._start, 3),
            (self._acknowledge, 1),
            (self._lapse, 1),
            (self._release, 2),
            (self._attach, 1),
            (self._look, 2),
            (self._age, 1),
        ]

    # ── both at once ────────────────────────────────────────────────────────────────────────────

    async def _both(self, name: str, ask: Callable[[Store], Awaitable[A]]) -> A:
        return await self._of_worlds(name, lambda world: ask(world.store))

    async def _of_worlds(self, name: str, ask: Callable[[World], Awaitable[A]]) -> A:
        answers = [await ask(world) for world in self.worlds]
        memory, postgres = (_bare(msgspec.to_builtins(answer)) for answer in answers)
        self.done.append(f"{name}: {memory}")
        if memory != postgres:
            tail = "\n".join(self.done[-12:])
            message = f"{name}\nmemory   {memory}\npostgres {postgres}\nafter\n{tail}"
            raise Apart(message)
        self.seen[f"{name}: {_kind(answers[0])}"] += 1
        return answers[0]

    # ── sessions ────────────────────────────────────────────────────────────────────────────────

    async def _open(self) -> None:
        if len(self.sessions) >= SESSIONS_MAX:
            self.sessions.pop(0)
        session = await Session.opened(self.worlds[1])
        head = self._opening(session)
        await self.worlds[0].open([head])
        self.sessions.append(session)

    def _opening(self, session: Session) -> OpenHead:
        return OpenHead(
            session_id=session.id, org_id=session.org_id, type="session.created",
            ts_ms=session.head.ts_ms, payload=b"{}", hash=session.head.hash,
        )  # fmt: skip

    async def _commit(self, name: str, session: Session, changes: Changes) -> None:
        (reply,) = await self._both(name, lambda s: s.commit((changes,)))
        if reply.verdict is Verdict.COMMITTED:
            session.head = changes.after
            session.rev += any(change.id == session.turn for change in changes.workflows)
            claimed = {t.id for t in changes.tasks if t.claim is not None} - set(reply.unclaimed)
            self.held += [Held(id_, 1) for id_ in sorted(claimed)]
            self.tasks += [(session, task) for task in changes.tasks]
            del self.held[:-HELD_KEPT], self.tasks[:-HELD_KEPT]

    def _some(self) -> Session:
        return self.draws.choice(self.sessions)

    def _next(self, session: Session, **rest: object) -> Changes:
        """Sometimes of a head that is not the present one any more, or not of the right rev."""
        # A message is an event: two of one number have no order that both stores must know.
        numbers = (1, 1, 2) if rest.get("accepts") else (0, 1, 2)
        plain = session.changes(events=self.draws.choice(numbers))
        changes = msgspec.structs.replace(plain, **rest)
        if self.draws.random() < 0.08:
            stale = msgspec.structs.replace(
                changes.expected, last_seq=changes.expected.last_seq + 1
            )
            return msgspec.structs.replace(changes, expected=stale)
        return changes

    async def _work(self) -> None:
        """Tasks for the turn, which starts with its first ones; messages and timers beside them."""
        session, draws = self._some(), self.draws
        number = draws.choice((0, 1, 2))
        tasks = tuple(self._task(session, f"step:{draws.randrange(6)}:{i}") for i in range(number))
        accepts = (session.accept(key=draws.choice((None, "a", "b"))),)
        timer = Timer(id=IDS.uuid7(), workflow_id=session.turn, kind="cancel", delay_ms=5000)
        changes = self._next(
            session,
            workflows=(session.workflow(),),
            tasks=tasks,
            accepts=accepts if draws.random() < 0.4 else (),
            timers=(timer,) if draws.random() < 0.2 else (),
        )
        await self._commit("work", session, changes)

    def _task(self, session: Session, step: str) -> NewTask:
        worker = self.draws.choice(self.workers)
        claims = worker.claim if self.draws.random() < 0.5 else None
        if claims is not None and self.draws.random() < 0.15:
            claims = msgspec.structs.replace(claims, attach_number=claims.attach_number + 1)
        effect = self.draws.choice(list(Effect))
        return session.task(step, claim=claims, effect=effect, route=self.route)

    # ── attempts ────────────────────────────────────────────────────────────────────────────────

    def _one_held(self) -> Held | None:
        if not self.held:
            return None
        held = self.draws.choice(self.held)
        wrong = self.draws.random() < 0.15
        return Held(held.task_id, held.fence + self.draws.choice((-1, 1))) if wrong else held

    def _of(self, held: Held) -> tuple[Session, NewTask] | None:
        return next((one for one in self.tasks if one[1].id == held.task_id), None)

    async def _answer(self) -> None:
        held = self._one_held()
        of = None if held is None else self._of(held)
        if held is None or of is None:
            return
        session, task = of
        retried = self.draws.random() < 0.2
        close = CloseTask(
            task_id=held.task_id, fence=held.fence, expected=TaskState.LEASED,
            closing=Closing.RETRIED if retried else Closing.RESULT,
            result_hash=self.draws.choice((b"r", b"q")) * 32,
            delay_ms=self.draws.choice((0, 3000)) if retried else None,
            counts_failure=retried,
        )  # fmt: skip
        result = StepResult(
            workflow_id=session.turn, step=task.step, task_id=task.id, fence=held.fence,
            body=b"body", hash=close.result_hash,
        )  # fmt: skip
        results = () if retried or self.draws.random() < 0.2 else (result,)
        changes = self._next(
            session, workflows=(session.workflow(),), closes=(close,), results=results
        )
        await self._commit("answer", session, changes)

    async def _mark(self) -> None:
        held = self._one_held()
        of = None if held is None else self._of(held)
        if held is not None and of is not None:
            marks = (MarkTask(task_id=held.task_id, fence=held.fence),)
            await self._commit("mark", of[0], self._next(of[0], marks=marks))

    async def _emit(self) -> None:
        held = self._one_held()
        of = None if held is None else self._of(held)
        if held is not None and of is not None:
            counter = self.draws.randrange(1, 4)
            emits = (EmitCounter(task_id=held.task_id, fence=held.fence, counter=counter),)
            await self._commit("emit", of[0], self._next(of[0], emits=emits))

    async def _claim(self) -> None:
        worker, limit = self.draws.choice(self.workers), self.draws.choice((1, 2, 8))
        want = worker.want(limit, self.route)
        claimed = await self._both("claim", lambda s: claim(s, want))
        self.held += [one.held for one in claimed]
        del self.held[:-HELD_KEPT]

    def _renewal(self) -> Renewal | None:
        held = self._one_held()
        return None if held is None else self.draws.choice(self.workers).renewal(held)

    async def _renew(self) -> None:
        if (renewal := self._renewal()) is not None:
            await self._both("renew", lambda s: s.renew((renewal,)))

    async def _start(self) -> None:
        if (renewal := self._renewal()) is not None:
            await self._both("start", lambda s: s.start((renewal,)))

    async def _acknowledge(self) -> None:
        if (renewal := self._renewal()) is not None:
            handed = Handed(held=renewal.held, incarnation=renewal.incarnation, attach_number=1)
            await self._both("acknowledge", lambda s: s.acknowledge((handed,)))

    async def _lapse(self) -> None:
        if (renewal := self._renewal()) is not None:
            handed = Handed(held=renewal.held, incarnation=renewal.incarnation, attach_number=1)
            await self._both("lapse", lambda s: s.lapse((handed,)))

    async def _release(self) -> None:
        held, draws = self._one_held(), self.draws
        if held is None:
            return
        release = Release(
            held=held,
            closing=draws.choice((Closing.EXPIRED, Closing.UNDELIVERED, Closing.RETURNED)),
            counts_death=draws.random() < 0.5,
            expired_only=draws.random() < 0.4,
            unstarted_only=draws.random() < 0.7,
        )
        await self._both("release", lambda s: s.release((release,)))

    async def _attach(self) -> None:
        worker = self.draws.choice(self.workers)
        worker.attach_number += self.draws.choice((-1, 0, 1, 1))
        listed = tuple({held.task_id: held for held in self.held[-4:]}.values())
        await self._both("attach", lambda s: s.attach((worker.attach_row(*listed),)))

    # ── looking ─────────────────────────────────────────────────────────────────────────────────

    async def _look(self) -> None:
        session, worker = self._some(), self.draws.choice(self.workers)
        await self._both("load", lambda s: s.load((session.id,)))
        await self._both("open tasks", lambda s: s.open_tasks((session.turn,)))
        await self._both("held by", lambda s: s.held_by(worker.id))

    async def _age(self) -> None:
        await self._pass(self.draws.choice(PASSES_S))

    async def _pass(self, seconds: float) -> None:
        for world in self.worlds:
            await world.pass_time(seconds)


def _bare(value: object) -> object:
    """Without times and versions of other tests' making; the order of rows stays."""
    match value:
        case dict():
            members = cast("dict[str, object]", value)
            if "held" in members and members.get("verdict", Verdict.COMMITTED) != Verdict.COMMITTED:
                members = members | {"incarnation": None}  # who holds it now is nobody's business
            return {
                key: _bare(member)
                for key, member in members.items()
                if not key.endswith("_ms") and key != "problem"
            }
        case list() | tuple():
            return [_bare(one) for one in cast("Sequence[object]", value)]
        case _:
            return value


def _kind(answer: object) -> str:
    """What kind of answer it is, for the count of what was reached."""
    if isinstance(answer, tuple) and answer:
        first = cast("tuple[object, ...]", answer)[0]
        verdict = cast("object", getattr(first, "verdict", first))
        return verdict.name if isinstance(verdict, Verdict) else type(first).__name__
    return "nothing"
