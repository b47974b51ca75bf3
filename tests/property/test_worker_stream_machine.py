"""Workers that attach, lie, fall away and come back beside engines that restart: no task is lost.

A real engine over the memory twin, in virtual time. Its two workers follow no protocol but the
frames: they repeat attach numbers or go back, and bring results of attempts that are not theirs.
"""

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from mainspring_engine.adapters.memory import MemoryGates, MemoryStore, memory_backstage, plain
from mainspring_engine.adapters.memory.tables import TaskRow
from mainspring_engine.domain.limits import STREAM_GRACE_S
from mainspring_engine.domain.plain import STEP, PlainEnd
from mainspring_engine.main import Engine
from mainspring_engine.usecases.attachments import Attachment, HeldTask
from mainspring_engine.usecases.conversation import Conversations
from mainspring_engine.usecases.leases import Leases
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import LeaseLost
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_kernel.limits import HEARTBEAT_S, LEASE_S
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import pack
from mainspring_schema.frames import (
    Attach,
    Beat,
    FromWorker,
    Held,
    Result,
    ToWorker,
    Verdict,
)
from mainspring_schema.plain import SubmitTask, SubmitTasks
from mainspring_schema.tasks import PlainResult
from tests.integration.engine.house import SilentWitness
from tests.sim.database import SimClock
from tests.sim.loop import Host, SimLoop

SLOTS: Final = 3
REST_S: Final = 120.0
"""Some leases, and the pauses between the attempts of a task that was lost or given back often."""
SETTINGS: Final = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)
UNTIL_MISSED: Final = settings(SETTINGS, max_examples=400, phases=[Phase.generate])
waits = st.sampled_from([0.0, 0.0, STREAM_GRACE_S + 0.5, LEASE_S + 2])


class Wire:
    """One stream, as its worker has it."""

    def __init__(self) -> None:
        self.outgoing: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self.attached = self.refused = self.ended = False

    async def frames(self) -> AsyncIterator[FromWorker]:
        while (frame := await self.outgoing.get()) is not None:
            yield frame

    def cut(self) -> None:
        self.ended = True


class Worker:
    """`given` is all it ever got; `held` what it believes to hold."""

    def __init__(self, incarnation: UUID) -> None:
        self.incarnation = incarnation
        self.number = 0
        self.wire: Wire | None = None
        self.given: list[Held] = []
        self.held: list[Held] = []
        self.verdicts: Counter[tuple[Held, Verdict]] = Counter()

    def hear(self, wire: Wire, frame: ToWorker) -> None:
        wire.attached = wire.attached or frame.attached is not None
        for task in frame.tasks:
            self.given.append(task.held)
            self.held.append(task.held)
        gone = [*frame.lost, *(ack.held for ack in frame.results)]
        gone += frame.attached.lost if frame.attached is not None else ()
        self.held = [held for held in self.held if held not in gone]
        self.verdicts.update((ack.held, ack.verdict) for ack in frame.results)

    async def talk(self, door: Conversations, wire: Wire) -> None:
        try:
            async with aclosing(door.serve(wire.frames())) as replies:
                async for reply in replies:
                    self.hear(wire, reply)
        except LeaseLost:
            wire.refused = True
        finally:
            wire.cut()


class WorkerStreamMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop, self.now = SimLoop(), 0.0
        self.clock, self.lock = SimClock(self.loop), threading.RLock()
        self.ids = SeededIds(self.clock, 3)
        log = MemoryLog(lock=self.lock, clock=self.clock)
        self.store = MemoryStore(lock=self.lock, log=log, clock=self.clock, settle_s=0)
        self.workers = [Worker(self.ids.uuid7()) for _ in range(2)]
        self.highest: dict[UUID, int] = {}
        self.submitted: set[UUID] = set()
        self.results: dict[UUID, bytes] = {}
        self.brought = 0
        self.hosts: list[Host] = []
        self.start()

    def start(self) -> None:
        self.hosts.append(Host(self.loop, f"engine-{len(self.hosts)}"))
        self.engine = self.hosts[-1].run(self._engine)
        self._spawn(self.engine.work())
        self.wait(0.0)

    def _engine(self) -> Engine:
        return Engine(
            store=self.store,
            gates=MemoryGates(self.store.tables, lock=self.lock, clock=self.clock),
            backstage=memory_backstage(self.store, lock=self.lock, clock=self.clock),
            bus=MemoryBus(),
            witness=lambda _: SilentWitness(),
            clock=self.clock,
            ids=SeededIds(self.clock, 7 + len(self.hosts)),
            draws=SeededDraws(5),
            trace_ratio=0.0,
            epoch=1,
        )

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        self.hosts[-1].spawn(work)

    # ── what happens ────────────────────────────────────────────────────────────────────────────

    @initialize(count=st.integers(1, 4))
    def both_attach(self, count: int) -> None:
        self.submit(count, 0.0)
        self.attach(0, 1, True)
        self.attach(1, 1, True)

    @rule(count=st.integers(1, 4), seconds=waits)
    def submit(self, count: int, seconds: float) -> None:
        tasks = tuple(
            SubmitTask(org_id=DEFAULT_ORG_ID, task_id=self.ids.uuid7(), type="add")
            for _ in range(count)
        )

        async def submit() -> None:
            answer = await self.engine.plain_tasks.submit(SubmitTasks(tasks=tasks))
            self.submitted.update(receipt.task_id for receipt in answer.receipts)

        self._spawn(submit())
        self.wait(seconds)

    @rule(who=st.integers(0, 1), step=st.sampled_from([1, 1, 0, -1]), listed=st.booleans())
    def attach(self, who: int, step: int, listed: bool) -> None:
        """With a number that rises, stays or falls, and with or without what it holds."""
        worker = self.workers[who]
        worker.number = max(1, worker.number + step)
        if not listed:
            worker.held.clear()
        wire = Wire()
        wire.outgoing.put_nowait(self._attaching(worker))
        self._spawn(worker.talk(self.engine.conversations, wire))
        self.wait(0.0)

        highest = self.highest.setdefault(worker.incarnation, 0)
        assert wire.refused is (worker.number < highest)
        assert wire.attached is not wire.refused
        if wire.attached:
            self.highest[worker.incarnation] = worker.number
            worker.wire = wire

    def _attaching(self, worker: Worker) -> FromWorker:
        attach = Attach(
            incarnation=worker.incarnation,
            attach_number=worker.number,
            name="drawn",
            build="",
            queues=("default",),
            capabilities=("task:add",),
            slots=SLOTS,
            held=tuple(worker.held),
        )
        return FromWorker(credits=max(0, SLOTS - len(worker.held)), attach=attach)

    @rule(who=st.integers(0, 1), which=st.integers(0, 9), seconds=waits)
    def bring(self, who: int, which: int, seconds: float) -> None:
        """The result of any attempt it was ever given, so also late, and again."""
        worker = self.workers[who]
        if worker.given:
            held = worker.given[-1 - which % len(worker.given)]
            self._send(worker, self._result(held, "right"))
        self.wait(seconds)

    @rule(who=st.integers(0, 1), which=st.integers(0, 9), step=st.sampled_from([-1, 0, 1]))
    def lie(self, who: int, which: int, step: int) -> None:
        """A result of an attempt that it was not given: another fence, or the other one's task."""
        worker = self.workers[who]
        known = [held for one in self.workers for held in one.given]
        if known:
            base = known[-1 - which % len(known)]
            held = Held(base.task_id, base.fence + step)
            if held not in worker.given:
                self._send(worker, self._result(held, "wrong"))
        self.wait(0.0)

    @rule(who=st.integers(0, 1), foreign=st.booleans(), seconds=waits)
    def beat(self, who: int, foreign: bool, seconds: float) -> None:
        worker = self.workers[who]
        held = self.workers[1 - who].held if foreign else worker.held
        self._send(worker, FromWorker(beat=Beat(held=tuple(held))))
        self.wait(seconds)

    @rule(who=st.integers(0, 1))
    def give_back(self, who: int) -> None:
        worker = self.workers[who]
        self._send(worker, FromWorker(returned=tuple(worker.held), credits=len(worker.held)))
        worker.held.clear()
        self.wait(0.0)

    @rule(who=st.integers(0, 1), seconds=waits)
    def detach(self, who: int, seconds: float) -> None:
        wire = self.workers[who].wire
        if wire is not None:
            wire.outgoing.put_nowait(None)
        self.wait(seconds)

    @rule(seconds=waits)
    def the_engine_is_restarted(self, seconds: float) -> None:
        self._stop()
        self.wait(seconds)
        self.start()

    def _stop(self) -> None:
        """At once: it asks nobody to leave. What its `finally` begins is ended, too."""
        tasks = self.hosts[-1].tasks
        for _ in range(5):
            for task in tasks:
                task.cancel()
            self.wait(0.0)
        assert all(task.done() for task in tasks)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.loop.run(self.now)

    def _send(self, worker: Worker, frame: FromWorker) -> None:
        if worker.wire is not None and not worker.wire.ended:
            worker.wire.outgoing.put_nowait(frame)

    def _result(self, held: Held, kind: str) -> FromWorker:
        """No two bodies are the same."""
        self.brought += 1
        said = f'"{kind} {held.task_id} {held.fence} {self.brought}"'
        body = pack(PlainResult(result=said.encode()))
        result = Result(held=held, hash=hashlib.sha256(body).digest(), body=body)
        return FromWorker(results=(result,), credits=1)

    # ── what must hold ──────────────────────────────────────────────────────────────────────────

    @invariant()
    def a_result_is_that_of_its_attempt_and_stays(self) -> None:
        for (task_id, step), row in self.store.tables.steps.items():
            assert step == STEP
            if task_id not in self.store.tables.dead_letters:  # then the engine ended it
                assert f'"right {task_id} {row.fence} '.encode() in row.body
            assert self.results.setdefault(task_id, row.body) == row.body

    @invariant()
    def an_attempt_commits_once(self) -> None:
        for worker in self.workers:
            for (held, verdict), count in worker.verdicts.items():
                if verdict is Verdict.COMMITTED:
                    assert held in worker.given
                    assert count == 1

    @invariant()
    def no_task_is_lost(self) -> None:
        tables = self.store.tables
        for task_id in self.submitted:
            ended = (task_id, STEP) in tables.steps or task_id in tables.dead_letters
            assert (task_id in tables.tasks) is not ended

    @override
    def teardown(self) -> None:
        """An honest worker comes, and beats, and everything that was submitted ends."""
        try:
            self.no_task_is_lost()
            honest = Worker(self.ids.uuid7())
            self.workers.append(honest)
            self.attach(2, 1, True)
            for _ in range(int(REST_S / HEARTBEAT_S)):
                self._send(honest, FromWorker(beat=Beat(held=tuple(honest.held))))
                self.now += HEARTBEAT_S
                self.loop.run(self.now, lambda: self._works_on(honest))
            assert not self.store.tables.tasks
            self.a_result_is_that_of_its_attempt_and_stays()
            self.no_task_is_lost()
            assert self.loop.problems == []
        finally:
            self._stop()

    def _works_on(self, honest: Worker) -> bool:
        for held in honest.held:
            self._send(honest, self._result(held, "right"))
        honest.held.clear()
        return not self.store.tables.tasks


def test_no_worker_loses_a_task_or_ends_one_that_is_not_its_own() -> None:
    run_state_machine_as_test(WorkerStreamMachine, settings=SETTINGS)


async def _no_expiry(_: Leases) -> tuple[int, bool]:
    return 0, False


def test_a_lease_that_never_ends_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leases, "expire", _no_expiry)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(WorkerStreamMachine, settings=UNTIL_MISSED)


def _any_attempt(attachment: Attachment, held: Held) -> HeldTask | None:
    return attachment.held.get(held.task_id)


def _any_end(_: TaskRow, __: PlainEnd, ___: int) -> bool:
    return True


def test_a_fence_that_nobody_compares_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream and the store look at it; either is enough for what this machine sees."""
    monkeypatch.setattr(Attachment, "given", _any_attempt)
    monkeypatch.setattr(plain, "_fits", _any_end)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(WorkerStreamMachine, settings=UNTIL_MISSED)
