"""Whether a history of concurrent calls could have happened one call at a time (Wing and Gong).

Every call touches one key, so a history splits by key and the search stays small. What a call may
answer in a state is said by a model: a function from state and call to the state after it.
"""

import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from mainspring_schema.frames import Held, Verdict

State = TypeVar("State")
T = TypeVar("T")
VISITED_MAX: Final = 200_000
"""States of the search, for one key: far above what some dozen calls come to."""


class Call(NamedTuple):
    """`began` and `ended` are places in one common order of all beginnings and endings."""

    key: UUID
    name: str
    argument: int
    answer: object
    began: int
    ended: int
    who: int = 0
    """Whose call it is, where the answer depends on that."""


class Model(NamedTuple, Generic[State]):
    """`after` is None where the call cannot have been answered so in that state."""

    start: State
    after: Callable[[State, Call], State | None]


def misfit(calls: Sequence[Call], model: Model[State]) -> list[Call]:
    """The history of one key that no order explains; empty where one does.

    Raises OverflowError where the search grows beyond its bound.
    """
    ordered = sorted(calls, key=lambda call: call.began)
    everything = (1 << len(ordered)) - 1
    seen: set[tuple[int, State]] = set()
    waiting = [(0, model.start)]
    while waiting:
        done, state = waiting.pop()
        if done == everything:
            return []
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) > VISITED_MAX:
            raise OverflowError
        for place in _next(ordered, done):
            after = model.after(state, ordered[place])
            if after is not None:
                waiting.append((done | 1 << place, after))
    return ordered


def _next(ordered: Sequence[Call], done: int) -> list[int]:
    """Calls that may come first of what is left: none of the rest had ended before they began."""
    left = [place for place in range(len(ordered)) if not done >> place & 1]
    soonest = min(ordered[place].ended for place in left)
    return [place for place in left if ordered[place].began <= soonest]


class History:
    """All calls of all clients, with the order in which they began and ended."""

    def __init__(self) -> None:
        self.calls: dict[UUID, list[Call]] = defaultdict(list)
        self._clock = itertools.count()

    async def of(
        self, key: UUID, name: str, argument: int, work: Awaitable[T],
        told: Callable[[T], object], *, who: int = 0,
    ) -> T:  # fmt: skip
        began = next(self._clock)
        found = await work
        call = Call(key, name, argument, told(found), began, next(self._clock), who)
        self.calls[key].append(call)
        return found

    def claimed(self, held: Held, began: int) -> None:
        call = Call(held.task_id, "claim", 0, held.fence, began, next(self._clock))
        self.calls[held.task_id].append(call)

    def begin(self) -> int:
        return next(self._clock)

    def misfits(self, model: Model[State]) -> list[list[Call]]:
        found = (misfit(calls, model) for calls in self.calls.values())
        return [calls for calls in found if calls]


# ── models ──────────────────────────────────────────────────────────────────────────────────────


class TaskState(NamedTuple):
    """A plain task. `input` 0: it was not submitted."""

    input: int = 0
    phase: str = "none"
    fence: int = 0


def _submitted(state: TaskState, call: Call) -> TaskState | None:
    if state.input == 0:
        return TaskState(call.argument, "ready") if call.answer == "added" else None
    wanted = "known" if call.argument == state.input else "differing"
    return state if call.answer == wanted else None


def _claimed(state: TaskState, call: Call) -> TaskState | None:
    fits = state.phase == "ready" and call.answer == state.fence + 1
    return state._replace(phase="leased", fence=state.fence + 1) if fits else None


def _cancelled(state: TaskState, call: Call) -> TaskState | None:
    is_open = state.phase in ("ready", "leased")
    if is_open is not (call.answer is True):
        return None
    return state._replace(phase="cancelled") if is_open else state


def _read(state: TaskState, call: Call) -> TaskState | None:
    return state if call.answer == state.phase else None


def _held(state: TaskState, call: Call) -> TaskState | None:
    """What an attempt asks: by its fence alone is it known whether it still holds the task."""
    holds = state.phase == "leased" and state.fence == call.argument
    if call.name == "renew":
        return state if call.answer is holds else None
    if holds:
        phase = "ready" if call.name == "release" else "done"
        return state._replace(phase=phase) if call.answer is Verdict.COMMITTED else None
    again = call.name == "end" and state.phase == "done" and state.fence == call.argument
    wanted = Verdict.DUPLICATE if again else Verdict.STALE
    return state if call.answer is wanted else None


_TASK: Final[dict[str, Callable[[TaskState, Call], TaskState | None]]] = {
    "submit": _submitted, "claim": _claimed, "cancel": _cancelled, "read": _read,
    "renew": _held, "release": _held, "end": _held,
}  # fmt: skip


def _task(state: TaskState, call: Call) -> TaskState | None:
    return _TASK[call.name](state, call)


TASK: Final = Model(TaskState(), _task)


def _head(last_seq: int, call: Call) -> int | None:
    """A session's log: an append fits the head it was proposed for, or is refused."""
    if call.name == "load":
        return last_seq if call.answer == last_seq else None
    fits = call.argument == last_seq
    wanted = Verdict.COMMITTED if fits else Verdict.CONFLICT
    return last_seq + fits if call.answer is wanted else None


LOG: Final = Model(1, _head)


class StartState(NamedTuple):
    """The one workflow that a key has started, and the input it was given."""

    workflow: int
    input: int


NOTHING: Final = StartState(0, 0)


def _start(state: StartState, call: Call) -> StartState | None:
    """`who` is the workflow that is to be started, or that is looked for."""
    if call.name == "read":
        return state if call.answer is (state.workflow == call.who) else None
    if state == NOTHING:
        return StartState(call.who, call.argument) if call.answer == ("started", call.who) else None
    wanted = "known" if call.argument == state.input else "differing"
    return state if call.answer == (wanted, state.workflow) else None


START: Final = Model(NOTHING, _start)


class BudgetState(NamedTuple):
    """`holds` are amounts by who holds them, each at most one."""

    balance: int
    holds: frozenset[tuple[int, int]] = frozenset()

    @property
    def reserved(self) -> int:
        return sum(amount for _, amount in self.holds)

    def ended(self, who: int, used: int) -> "BudgetState":
        kept = frozenset(hold for hold in self.holds if hold[0] != who)
        return BudgetState(self.balance - used, kept)

    def held(self, who: int, amount: int) -> "BudgetState | None":
        """None where it does not fit; the only hold may take what is left."""
        left = self.balance - self.reserved
        if left < amount and (self.reserved > 0 or left <= 0):
            return None
        return BudgetState(self.balance, self.holds | {(who, min(amount, left))})


def _budget(state: BudgetState, call: Call) -> BudgetState | None:
    match call.name:
        case "read":
            return state if call.answer == (state.balance, state.reserved) else None
        case "add":
            return state._replace(balance=state.balance + call.argument)
        case "end":
            return state.ended(call.who, call.argument)
        case _:
            after = state.held(call.who, call.argument)
            wanted = Verdict.CONFLICT if after is None else Verdict.COMMITTED
            return (after or state) if call.answer is wanted else None


def budget(allowed: int) -> Model[BudgetState]:
    """Of one budget that began with so much."""
    return Model(BudgetState(allowed), _budget)
