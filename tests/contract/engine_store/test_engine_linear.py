"""What many clients do at once to the store could have been done by one: each key for itself.

MAINSPRING_LINEAR_CALLS asks for longer histories.
"""

import asyncio
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import pytest

from mainspring_engine.adapters.memory import plain as memory_plain
from mainspring_engine.adapters.memory.tables import TaskRow
from mainspring_engine.domain.plain import NewPlain
from mainspring_engine.domain.rows import Closing, TaskState, View
from mainspring_engine.ports.plain import PlainAdded, PlainCancel, PlainRow
from mainspring_engine.ports.store import Release
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import MemoryWorld, Session, Worker, World
from tests.contract.engine_store.linear import LOG, TASK, Call, History, misfit
from tests.contract.engine_store.test_engine_plain_tasks import ORG, done, plain, take

CLIENTS: Final = 8
KEYS: Final = 10
CALLS: Final = int(os.environ.get("MAINSPRING_LINEAR_CALLS", "400"))
_PHASES: Final = {
    TaskState.READY: "ready",
    TaskState.LEASED: "leased",
    # One that was given back often rests: nobody has it, and a claim may come later.
    TaskState.DELAYED: "ready",
}


class Client:
    """Does anything to any task, with whatever fence it has heard of."""

    def __init__(
        self, world: World, worker: Worker, queue: str, tasks: list[NewPlain], history: History
    ) -> None:
        self._world, self._worker, self._queue = world, worker, queue
        self._tasks, self._history = tasks, history
        self._fences: dict[UUID, int] = defaultdict(lambda: 1)

    async def work(self, draws: random.Random, calls: int) -> None:
        for _ in range(calls):
            task = draws.choice(self._tasks)
            name = draws.choice((
                "submit", "claim", "claim", "claim", "renew", "release", "release", "end",
                "cancel", "read",
            ))  # fmt: skip
            if name in ("end", "cancel") and draws.random() < 0.7:
                name = "release"  # or all would have ended soon
            await self._do(name, task, draws)
            # A turn of the loop: over memory a call waits for nothing.
            await asyncio.sleep(0)

    async def _do(self, name: str, task: NewPlain, draws: random.Random) -> None:
        store, of, id_ = self._world.store, self._history.of, task.id
        fence = max(1, self._fences[id_] - (draws.random() < 0.2))
        held = Held(id_, fence)
        match name:
            case "submit":
                which = draws.choice((1, 2))
                one = task._replace(payload=task.payload if which == 1 else b"other")
                await of(id_, name, which, store.plain.submit((one,)), _submitted(id_))
            case "claim":
                began = self._history.begin()
                for claimed in await take(self._world, self._worker, self._queue, 2):
                    self._fences[claimed.held.task_id] = claimed.held.fence
                    self._history.claimed(claimed.held, began)
            case "renew":
                renewals = (self._worker.renewal(held),)
                await of(id_, name, fence, store.renew(renewals), lambda told: not told[0].lost)
            case "release":
                release = Release(held=held, closing=Closing.RETURNED)
                await of(id_, name, fence, store.release((release,)), _first)
            case "end":
                await of(id_, name, fence, store.plain.end((done(held),)), _first)
            case "cancel":
                cancel = PlainCancel(org_id=ORG, task_id=id_, reason="")
                await of(id_, name, 0, store.plain.cancel((cancel,)), bool)
            case _:
                await of(id_, "read", 0, store.plain.get(ORG, id_), _phase)


def _first(verdicts: tuple[Verdict, ...]) -> Verdict:
    return verdicts[0]


def _submitted(id_: UUID) -> Callable[[PlainAdded], str]:
    def told(added: PlainAdded) -> str:
        return "known" if id_ in added.known else "differing" if id_ in added.differing else "added"

    return told


def _phase(row: PlainRow | None) -> str:
    if row is None:
        return "none"
    if row.state is not None:
        return _PHASES[row.state]
    return "done" if row.cancelled is None else "cancelled"


async def tasks_at_once(world: World, queue: str) -> History:
    """One worker's name for all: who holds a task is told by the fence alone."""
    worker, history = await Worker.attached(world), History()
    tasks = [plain(queue) for _ in range(KEYS)]
    clients = [Client(world, worker, queue, tasks, history) for _ in range(CLIENTS)]
    await asyncio.gather(*(
        client.work(random.Random(f"client {number}"), CALLS // CLIENTS)
        for number, client in enumerate(clients)
    ))  # fmt: skip
    return history


async def test_tasks_that_many_handle_at_once_could_have_been_handled_one_call_at_a_time(
    world: World, queue: str
) -> None:
    history = await tasks_at_once(world, queue)

    assert history.misfits(TASK) == []
    told = Counter((call.name, str(call.answer)) for one in history.calls.values() for call in one)
    # A history of refusals alone would prove nothing. Over Postgres who meets whom is left to luck,
    # and nothing is asked of it but what no order of the calls can prevent.
    assert told["submit", "added"] == len(history.calls)
    if isinstance(world, MemoryWorld):
        assert told["end", str(Verdict.COMMITTED)] > 0
        assert told["release", str(Verdict.STALE)] > 0
        assert told["release", str(Verdict.COMMITTED)] > 5


async def test_appends_of_many_to_one_log_could_have_been_made_one_at_a_time(world: World) -> None:
    sessions, history = [await Session.opened(world) for _ in range(3)], History()

    async def append(session: Session) -> None:
        def last_seq(views: Mapping[UUID, View]) -> int:
            head = views[session.id].head
            assert head is not None
            return head.last_seq

        loading = world.store.load((session.id,))
        views = await history.of(session.id, "load", 0, loading, last_seq)
        writer = Session(world, session.org_id)
        writer.id = session.id
        writer.head = views[session.id].head or writer.head
        committing = world.store.commit((writer.changes(),))
        await history.of(
            session.id, "append", writer.head.last_seq, committing, lambda told: told[0].verdict
        )

    async def client(draws: random.Random) -> None:
        for _ in range(CALLS // CLIENTS // 3):
            await append(draws.choice(sessions))
            await asyncio.sleep(0)

    await asyncio.gather(*(client(random.Random(number)) for number in range(CLIENTS)))

    assert history.misfits(LOG) == []


async def test_store_that_compares_no_fence_is_found_out(
    monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    def any_fence(row: TaskRow, *_rest: object) -> bool:
        return row.state is TaskState.LEASED

    monkeypatch.setattr(memory_plain, "_fits", any_fence)

    history = await tasks_at_once(MemoryWorld(), queue)

    assert history.misfits(TASK) != []


@pytest.mark.parametrize(
    "calls",
    [
        # Two claims of one fence; a read of what was before a write that had ended.
        [("submit", 1, "added", 0, 1), ("claim", 0, 1, 2, 4), ("claim", 0, 1, 3, 5)],
        [("submit", 1, "added", 0, 1), ("claim", 0, 1, 2, 3), ("read", 0, "ready", 4, 5)],
    ],
)
def test_history_that_no_order_explains_is_refused(
    calls: list[tuple[str, int, object, int, int]],
) -> None:
    key = UUID(int=1)

    assert misfit([Call(key, *call) for call in calls], TASK) != []


def test_calls_that_overlap_may_have_come_in_either_order() -> None:
    key = UUID(int=1)
    calls = [
        Call(key, "submit", 1, "added", 0, 1),
        Call(key, "read", 0, "ready", 2, 5),
        Call(key, "claim", 0, 1, 3, 4),
    ]

    assert misfit(calls, TASK) == []
