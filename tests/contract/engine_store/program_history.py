"""A random history of users' workflows on both stores, as `history` is one of turns."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import msgspec
from typing_extensions import override

from mainspring_engine.domain.changes import (
    Changes,
    CloseTask,
    CopySteps,
    DeadLetter,
    EmitCounter,
    EndWait,
    NewSignal,
    NewWait,
    TakeSignal,
    Timer,
)
from mainspring_engine.domain.explain.snapshot import Snapshot
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.ports.letters import Resolve
from mainspring_engine.ports.retention import Trim
from mainspring_engine.ports.workflows import WorkflowFilter
from mainspring_schema.codec import pack
from mainspring_schema.frames import Verdict
from mainspring_schema.operations import LetterFilter
from mainspring_schema.workflows import Wait
from tests.contract.engine_store.engine_worlds import IDS, PostgresWorld, World
from tests.contract.engine_store.history import History, OlderMemory
from tests.contract.engine_store.test_engine_store_workflows import HASH, Program

Part = dict[str, object]
PLACES: Final = ("1", "2", "10", "2/1", "2/10", "a1~0", "a1~3", "a1~12")
KEYS: Final = ("a", "A", "%", "a b")
KINDS: Final = ("signal:go", "child")


class ProgramHistory(History):
    """Each program knows its head, its rev and its task, as an engine would."""

    def __init__(self, memory: OlderMemory, postgres: PostgresWorld, seed: int) -> None:
        super().__init__(memory, postgres, seed)
        self.org_id = IDS.uuid7()
        self.programs: list[Program] = []
        self.sources: list[UUID] = []
        self.letters: list[UUID] = []

    @override
    async def begin(self) -> None:
        await super().begin()
        await self._start_program()

    @override
    def operations(self) -> list[tuple[Callable[[], Awaitable[None]], int]]:
        return [
            (self._start_program, 3),
            (self._go_on, 12),
            (self._claim, 4),
            (self._renew, 1),
            (self._age, 1),
            (self._look_at_rows, 3),
            (self._look_behind, 2),
            (self._decide_letter, 2),
            (self._trim, 1),
        ]

    # ── what programs do ────────────────────────────────────────────────────────────────────────

    async def _start_program(self) -> None:
        draws = self.draws
        key = draws.choice(KEYS) if draws.random() < 0.2 else ""
        program = Program(self.worlds[1], self.org_id, key=key, route=self.route)
        hash_ = draws.choice((HASH, b"j" * 32))
        changes = program.starting(draws.choice((None, *self.workers)), hash_=hash_)
        if not key and self.programs and draws.random() < 0.4:
            places = draws.choice((None, None, tuple(draws.sample(PLACES, 2))))
            copied = CopySteps(
                source_id=self._one().id, bound=draws.choice(("", *PLACES)), places=places
            )
            assert changes.start is not None
            start = msgspec.structs.replace(changes.start, copied=copied)
            changes = msgspec.structs.replace(changes, start=start)
        if await self._written("start program", program, changes):
            self.programs.append(program)

    async def _go_on(self) -> None:
        program, draws = self._one(), self.draws
        kinds = (
            self._steps, self._reported, self._waits, self._leaves, self._signals, self._takes,
            self._closes, self._outcome,
        )  # fmt: skip
        rest: Part = {}
        for part in draws.sample(kinds, draws.choice((1, 2, 3))):
            rest |= part(program)
        changes = msgspec.structs.replace(program.changes(), **rest)
        if await self._written("go on", program, changes):
            self.sources += [signal.source for signal in changes.signals]
            self.letters += [letter.task_id for letter in changes.dead_letters]
            for task in changes.tasks:
                program.task = task.id

    async def _written(self, name: str, program: Program, changes: Changes) -> bool:
        (reply,) = await self._both(name, lambda s: s.commit((changes,)))
        if reply.verdict is not Verdict.COMMITTED:
            return False
        program.head = changes.after
        program.rev += bool(changes.workflows)
        return True

    def _one(self) -> Program:
        return self.draws.choice(self.programs[-8:])

    def _steps(self, program: Program) -> Part:
        places = self.draws.sample(PLACES, self.draws.choice((1, 2)))
        return {"steps": tuple(program.step(place, fence=0) for place in places)}

    def _reported(self, program: Program) -> Part:
        """In the middle of an attempt, which may be over."""
        fence = self._fence(program)
        emit = EmitCounter(task_id=program.task, fence=fence, counter=self.draws.randrange(1, 4))
        step = program.step(self.draws.choice(PLACES), fence=fence)
        return {"emits": (emit,), "steps": (step,)}

    def _fence(self, program: Program) -> int:
        row = self.worlds[0].memory.tables.tasks.get(program.task)
        right = row is not None and row.fence and self.draws.random() < 0.8
        return row.fence if row is not None and right else self.draws.choice((1, 2))

    def _waits(self, program: Program) -> Part:
        place = self.draws.choice(PLACES)
        body = pack(Wait(step=place, name="approve", kind="signal"))
        timer_id = IDS.uuid7() if self.draws.random() < 0.5 else None
        wait = NewWait(workflow_id=program.id, step=place, timer_id=timer_id, body=body)
        if timer_id is None:
            return {"waits": (wait,)}
        timer = Timer(id=timer_id, workflow_id=program.id, kind="wait", delay_ms=60_000)
        return {"waits": (wait,), "timers": (timer,)}

    def _leaves(self, program: Program) -> Part:
        waiting = self.worlds[0].memory.tables.waits.get(program.id, {})
        if not waiting:
            return {}
        row = waiting[self.draws.choice(sorted(waiting))]
        dropped = () if row.timer_id is None else (row.timer_id,)
        ended = EndWait(workflow_id=program.id, step=row.wait.step)
        return {"ended_waits": (ended,), "dropped_timers": dropped}

    def _signals(self, program: Program) -> Part:
        draws, to = self.draws, self._one()
        known = bool(self.sources) and draws.random() < 0.3
        signal = NewSignal(
            source=draws.choice(self.sources) if known else IDS.uuid7(),
            kind=draws.choice(KINDS),
            body=draws.choice((b"", b"said")),
            taken=draws.random() < 0.2,
            to=None if to is program else to.id,
        )
        return {"signals": (signal,)}

    def _takes(self, program: Program) -> Part:
        come = self.worlds[0].memory.tables.signals.get(program.id, {})
        if not come:
            return {}
        source, kind = self.draws.choice(sorted(come))
        return {"taken_signals": (TakeSignal(source=source, kind=kind),)}

    def _closes(self, program: Program) -> Part:
        """The program's task, in whatever state it is; and the next one."""
        draws, row = self.draws, self.worlds[0].memory.tables.tasks.get(program.task)
        if row is None:
            return {}
        close = CloseTask(
            task_id=row.id,
            fence=row.fence + (draws.random() < 0.1),
            expected=row.state,
            closing=draws.choice((Closing.SUSPENDED, Closing.RESULT, Closing.QUARANTINED)),
            result_hash=draws.choice((b"r", b"q")) * 32,
        )
        task = msgspec.structs.replace(program.new_task(), id=IDS.uuid7())
        if close.closing is not Closing.QUARANTINED:
            return {"closes": (close,), "tasks": (task,)}
        letter = DeadLetter(
            task_id=row.id, workflow_id=program.id, reason="poison", detail="it kills"
        )
        return {"closes": (close,), "dead_letters": (letter,), "tasks": (task,)}

    def _outcome(self, program: Program) -> Part:
        row = program.row(self.draws.choice((Outcome.RUNNING, *Outcome)))
        if self.draws.random() < 0.1:
            row = msgspec.structs.replace(row, expected_rev=row.expected_rev + 1)
        return {"workflows": (row,)}

    # ── what others do ──────────────────────────────────────────────────────────────────────────

    async def _trim(self) -> None:
        trims = (Trim(workflow_id=self._one().id, bound=self.draws.choice(PLACES)),)
        await self._both("trim", lambda s: s.retention.trim(trims, limit=100))

    async def _decide_letter(self) -> None:
        if not self.letters:
            return
        order = Resolve(
            org_id=self.org_id,
            task_id=self.draws.choice(self.letters),
            workflow_id=self.draws.choice((None, IDS.uuid7())),
        )
        await self._of_worlds("resolve", lambda w: w.backstage.letters.resolve((order,)))

    # ── looking ─────────────────────────────────────────────────────────────────────────────────

    async def _look_at_rows(self) -> None:
        draws, id_ = self.draws, self._one().id
        place = draws.choice(("", *PLACES))
        wanted = WorkflowFilter(
            org_id=self.org_id,
            status=draws.choice((None, "running", "failed")),
            before=draws.choice((None, id_)),
            limit=draws.choice((1, 50)),
            key=draws.choice((None, None, *KEYS)),
        )
        await self._both("waiting", lambda s: s.workflows.waiting((id_,)))
        await self._both("get", lambda s: s.workflows.get(self.org_id, id_))
        await self._both("list", lambda s: s.workflows.list(wanted))
        await self._both("recorded", lambda s: s.workflows.recorded(id_, after=place))
        await self._both("extent", lambda s: s.workflows.fork_extent(id_, bound=place, limit=9))
        await self._both("open tasks", lambda s: s.open_tasks((id_,)))

    async def _look_behind(self) -> None:
        draws, id_ = self.draws, self._one().id
        wanted = LetterFilter(
            status=draws.choice((None, "open", "requeueing", "discarded")),
            workflow_id=draws.choice((None, id_)),
        )
        limit = draws.choice((1, 50))
        await self._of_worlds(
            "letters",
            lambda w: w.backstage.letters.page(self.org_id, wanted, after=None, limit=limit),
        )

        async def look(world: World) -> object:
            return _told(await world.backstage.snapshots.of(self.org_id, "workflow", id_))

        await self._of_worlds("snapshot", look)


def _told(found: Snapshot | None) -> object:
    """Without the seats of workers, whose queues come in no order."""
    if found is None:
        return None
    return found.head, found.workflow, found.tasks, found.waits, found.letter
