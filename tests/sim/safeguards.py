"""What keeps the promises, each with a way to take it away: a seed must miss it.

A simulation that stays green without a fence check proves nothing about fences.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

from mainspring import succession
from mainspring_api.adapters.memory.store import MemoryStore as ApiStore
from mainspring_api.domain.cursor import Next, StreamCursor, position_of
from mainspring_api.usecases import once
from mainspring_api.usecases.stream.hub import Hub
from mainspring_engine.adapters.memory import judging, plain, store
from mainspring_engine.adapters.memory.dispatch import Dispatch
from mainspring_engine.adapters.memory.store import MemoryStore
from mainspring_engine.adapters.memory.tables import TaskRow
from mainspring_engine.domain import decide, loss, rows
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.ports.store import Closed
from mainspring_engine.usecases import lane, leases
from mainspring_engine.usecases.attachments import Attachment
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.flights import SessionFlights
from mainspring_eventstore.domain import deltas
from mainspring_kernel.errors import MainspringError
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import AppendVerdict
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.outgoing import Outgoing


class Safeguard(NamedTuple):
    """Where it stands, and what stands there while it is away."""

    owner: Any
    name: str
    away: Any


def _any_fence(tables: Any, close: Any) -> Any:
    task = tables.tasks.get(close.task_id)
    if task is None or task.state is not close.expected:
        return _JUDGE_CLOSE(tables, close)
    return Closed(
        held=Held(close.task_id, close.fence), verdict=Verdict.COMMITTED,
        claimed_ms=task.claimed_ms, incarnation=task.incarnation,
    )  # fmt: skip


_JUDGE_CLOSE: Final = judging._judge_close
_LEASE: Final = TaskRow.lease
_COMMIT: Final = SessionFlights._commit
_GIVE_BACK: Final = Roster.give_back


def _same_fence(self: TaskRow, *args: Any, **named: Any) -> None:
    fence = self.fence
    _LEASE(self, *args, **named)
    self.fence = max(1, fence)


def _whoever_holds(self: MemoryStore, renewal: Any) -> TaskRow | None:
    task = self.tables.tasks.get(renewal.held.task_id)
    return task if task is not None and task.state is TaskState.LEASED else None


def _start_anyone(self: MemoryStore, start: Any) -> Verdict:
    del self, start
    return Verdict.COMMITTED


def _never(*_args: Any, **_named: Any) -> bool:
    return False


def _always(*_args: Any, **_named: Any) -> bool:
    return True


def _nothing(*_args: Any, **_named: Any) -> tuple[()]:
    return ()


def _none(*_args: Any, **_named: Any) -> None:
    return None


def _empty(*_args: Any, **_named: Any) -> dict[Any, Any]:
    return {}


async def _no_rows(*_args: Any, **_named: Any) -> tuple[()]:
    return ()


async def _idle(*_args: Any, **_named: Any) -> None:
    return None


async def _told_first(self: SessionFlights, decided: list[Any], entries: list[Any]) -> None:
    for item in decided:
        for entry, answer in zip(item.entries, item.answers, strict=True):
            entry.ticket.done(answer)
    await _COMMIT(self, decided, entries)


def _stamp_elsewhere(self: TaskRow, now_ms: int, lease_ms: int) -> None:
    self.stamped_ms = now_ms
    self.lease_until_ms = now_ms + lease_ms + 5 * (self.id.int % 7)


def _drop_incidents(entries: list[lane.Entry], error: MainspringError) -> list[lane.Entry]:
    for entry in entries:
        entry.ticket.failed(error)
    return []


def _committed(*_args: Any, **_named: Any) -> AppendVerdict:
    return AppendVerdict.COMMITTED


def _committed_verdict(*_args: Any, **_named: Any) -> Verdict:
    return Verdict.COMMITTED


def _whatever_waits(row: TaskRow) -> bool:
    return row.kind is rows.TaskKind.PLAIN and row.state is TaskState.READY


def _take_all(self: StreamCursor, item: Any) -> Next:
    self._position = position_of(item)
    return Next.TAKE


async def _key_dropped(tx: Any, key: Any, *_: Any) -> None:
    await tx.drop_key(key)


def _to_whoever_sits(self: Roster, incarnation: Any, _: int, count: int = 1) -> None:
    seat = self._seats.get(incarnation)
    if seat is not None:
        _GIVE_BACK(self, incarnation, seat.attach_number, count)


def _in_no_order(_: Any) -> list[str]:
    return []


SAFEGUARDS: Final[dict[str, Safeguard]] = {
    "fence of a result": Safeguard(judging, "_judge_close", _any_fence),
    "fence rises with a claim": Safeguard(TaskRow, "lease", _same_fence),
    "fence of a beat": Safeguard(MemoryStore, "_of", _whoever_holds),
    "heads and revs are compared": Safeguard(judging, "_fits", _always),
    "idempotency keys": Safeguard(judging, "_known", _empty),
    "one start of an effect": Safeguard(MemoryStore, "_start", _start_anyone),
    "started effects do not run again": Safeguard(leases, "needs_lane", _never),
    "effect classes": Safeguard(rows.Effect, "needs_start", property(_never)),
    "leases run out": Safeguard(MemoryStore, "expired", _no_rows),
    "timers are swept": Safeguard(MemoryStore, "due_timers", _no_rows),
    "retries come due": Safeguard(MemoryStore, "ready_retries", _no_rows),
    "a pass finds what no hint told": Safeguard(Claimer, "_sweep_for_ever", _idle),
    "nobody is told before the commit": Safeguard(SessionFlights, "_commit", _told_first),
    "unanswered results go again": Safeguard(Outgoing, "send_again", _none),
    "only the database dates a lease": Safeguard(TaskRow, "stamp", _stamp_elsewhere),
    "a lost commit is asked again": Safeguard(lane, "_keep_incidents", _drop_incidents),
    "the second of two results": Safeguard(decide, "_ended_before", _none),
    "an attach lets go what is not listed": Safeguard(Dispatch, "_release_unlisted", _nothing),
    "a gap is read": Safeguard(StreamCursor, "_follows", _always),
    "heads are compared with readers": Safeguard(Hub, "sweep", _idle),
    "attempt and offset of a delta": Safeguard(deltas, "judge", _committed),
    "the present decides what writes nothing": Safeguard(SessionFlights, "_recalled", _idle),
    "refusals are of a state that holds": Safeguard(Plan, "rest_on_running", _none),
    "fence of a mark": Safeguard(judging, "_judge_mark", _committed_verdict),
    "fence of an emit": Safeguard(judging, "_judge_emit", _committed_verdict),
    "a release looks again": Safeguard(store, "_may_release", _always),
    "the third death ends a task": Safeguard(loss, "WORKER_DEATHS_MAX", 10**9),
    "only what nobody took is too late": Safeguard(plain, "_is_untaken", _whatever_waits),
    "a reader drops what it has": Safeguard(StreamCursor, "offer", _take_all),
    "an unknown outcome keeps its id": Safeguard(once, "_give_back", _key_dropped),
    "a credit is of its attach": Safeguard(Roster, "give_back", _to_whoever_sits),
    "what no beat names is looked over": Safeguard(Attachment, "doubted", _never),
    "results come in their order": Safeguard(succession, "in_time", _in_no_order),
    "cut deletions are swept": Safeguard(ApiStore, "unfinished_deletes", _no_rows),
    "a deaf stream is left": Safeguard(WorkerCore, "deaf", _never),
}


@contextmanager
def without(name: str) -> Generator[None]:
    """Takes one safeguard away, for a while."""
    owner, attribute, away = SAFEGUARDS[name]
    kept = cast(object, vars(owner)[attribute])
    setattr(owner, attribute, away)
    try:
        yield
    finally:
        setattr(owner, attribute, kept)
