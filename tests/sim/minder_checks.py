"""What must hold of calls that wait for people, and of budgets."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from mainspring_eventstore.adapters.memory.log import EventRow
from mainspring_schema.budgets import MICRO, BudgetView
from tests.sim import forkers
from tests.sim.minders import HELD_BACK, Minders, data_of
from tests.sim.world import World

_OF_CALLS: Final = frozenset({"approval.requested", "approval.resolved", "tool.started"})
_DECISIONS: Final = frozenset({"approval.resolved", "question.answered"})


def always(world: World, minders: Minders) -> Iterator[str]:
    for session_id, rows in world.tables.log.events.items():
        yield from _decided(session_id, rows)
        yield from _told(session_id, rows, minders)
        yield from _leave(world, rows)
        yield from _for_good(world, session_id, forkers.shown(world, session_id))
    yield from _money(world)


def at_rest(world: World) -> Iterator[str]:
    for budget in _spending(world).budgets.values():
        if budget.reserved:
            yield f"I16 budget {budget.id.hex} holds {budget.reserved} for nobody"
    yield from _charged(world)


def _decided(session_id: UUID, rows: list[EventRow]) -> Iterator[str]:
    """One word for each call that waits."""
    decided = Counter(
        data_of(row.event.payload).tool_call_id for row in rows if row.event.type in _DECISIONS
    )
    for call_id, count in decided.items():
        if count > 1:
            yield f"{session_id.hex}: call {call_id} was decided {count} times"


def _told(session_id: UUID, rows: list[EventRow], minders: Minders) -> Iterator[str]:
    """What people were told is what the log says."""
    outcomes = _outcomes(rows)
    for told in minders.told:
        if told.session_id == session_id and outcomes.get(told.call_id) != told.outcome:
            yield f"{told} was told, and the log says {outcomes.get(told.call_id)}"


def _leave(world: World, rows: list[EventRow]) -> Iterator[str]:
    """Silence allows nothing: of calls that waited for leave, only those that got it were made."""
    outcomes = _outcomes(rows)
    for row in rows:
        if row.event.type != "approval.requested" or row.turn_id is None:
            continue
        call_id = data_of(row.event.payload).tool_call_id
        # Its id is of its session alone; with its turn it is everybody's.
        key = f"{row.turn_id.hex}:{call_id}"
        made = any(world.outside.applied[name][key] for name in HELD_BACK)
        if made and outcomes.get(call_id) != "allowed":
            yield f"call {key} was made, and {outcomes.get(call_id, 'nobody allowed it')}"


def _for_good(world: World, session_id: UUID, rows: list[EventRow]) -> Iterator[str]:
    """What was decided for good holds for every answer of a model that was asked for afterwards."""
    decided: dict[str, str] = {}
    known: dict[str, str] = {}
    for row in rows:
        if row.event.type == "reason.started":
            known = dict(decided)
            continue
        if row.event.type not in _OF_CALLS:
            continue
        data = data_of(row.event.payload)
        if data.decision.endswith("_always"):
            decided[data.tool_name] = data.decision
        elif row.event.type == "approval.requested" and data.tool_name in known:
            yield f"{session_id.hex}: {data.tool_name} waits, and is {known[data.tool_name]}"
        elif known.get(data.tool_call.name) == "reject_always" and _was_made(world, row):
            yield f"{session_id.hex}: {data.tool_call} was made, and rejected for good"


def _was_made(world: World, row: EventRow) -> bool:
    call = data_of(row.event.payload).tool_call
    turn = "" if row.turn_id is None else row.turn_id.hex
    return call.name in HELD_BACK and world.outside.applied[call.name][f"{turn}:{call.id}"] > 0


def _outcomes(rows: list[EventRow]) -> dict[str, str]:
    found = (data_of(row.event.payload) for row in rows if row.event.type in _DECISIONS)
    return {data.tool_call_id: data.outcome or data.status for data in found}


def _spending(world: World) -> Any:
    engine: Any = world.tables.engine
    return engine._spending


def _money(world: World) -> Iterator[str]:
    """I21: the balance is the sum of its entries, what is held is held for calls."""
    spending = _spending(world)
    sums: Counter[UUID] = Counter()
    charged: Counter[tuple[UUID, UUID]] = Counter()
    for entry in spending.entries:
        sums[entry.budget_id] += entry.amount
        if entry.task_id is not None:
            charged[entry.budget_id, entry.task_id] += 1
    for (budget_id, task_id), count in charged.items():
        if count > 1:
            yield f"I21 budget {budget_id.hex}: task {task_id.hex} was charged {count} times"
    for budget in spending.budgets.values():
        if budget.balance != sums[budget.id]:
            yield f"I21 budget {budget.id.hex}: {budget.balance}, its entries {sums[budget.id]}"
        held = sum(row.amount for key, row in spending.holds.items() if key[1] == budget.id)
        if held != budget.reserved:
            yield f"I21 budget {budget.id.hex}: {budget.reserved} reserved, {held} held"


def _charged(world: World) -> Iterator[str]:
    """Every call of a model that the log tells of was charged: one for each."""
    spending = _spending(world)
    calls: dict[UUID, int] = defaultdict(int)
    for entry in spending.entries:
        if entry.source == "model_call":
            calls[entry.budget_id] -= entry.amount
    made: dict[UUID, int] = {
        session_id: sum(row.event.type == "llm.generation" for row in rows)
        for session_id, rows in world.tables.log.events.items()
    }
    budgets: list[BudgetView] = list(spending.budgets.values())
    for budget in budgets:
        if budget.currency != "calls":
            continue
        whole = budget.subject_type == "organization"
        count = sum(made.values()) if whole else made.get(budget.subject_id, 0)
        if count * MICRO > calls[budget.id]:
            paid = calls[budget.id] // MICRO
            yield f"I13 budget {budget.id.hex}: {count} calls in the log, {paid} charged"
