"""Starts under one key, and holds of one budget, by many at once: one call at a time explains them.

MAINSPRING_LINEAR_CALLS asks for longer histories.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Final
from uuid import UUID

import pytest

from mainspring_engine.adapters.memory import judging
from mainspring_engine.adapters.memory.budgets import BudgetTables
from mainspring_engine.domain.changes import Changes, Charge, Spending
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import Committed
from mainspring_schema.budgets import BudgetView, TopUp
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import (
    IDS,
    MemoryWorld,
    Session,
    Worker,
    World,
    close,
)
from tests.contract.engine_store.linear import START, Call, History, budget, misfit
from tests.contract.engine_store.test_engine_budgets import begun, made
from tests.contract.engine_store.test_engine_linear import CALLS, CLIENTS
from tests.contract.engine_store.test_engine_store_workflows import Program

KEYS: Final = 40
"""As many as a client has calls: most are there when the next comes, and some meet."""
BUDGETS: Final = 2
ALLOWED: Final = 12


# ── starts ──────────────────────────────────────────────────────────────────────────────────────


def _hash(input_: int) -> bytes:
    return bytes([input_]) * 32


def _told_of_start(own: UUID, input_: int) -> Callable[[Committed], object]:
    """As the engine answers it: its own, one that is known, or a mismatch."""

    def told(reply: Committed) -> object:
        if reply.verdict is Verdict.COMMITTED:
            return "started", own.int
        assert reply.started is not None, reply
        same = reply.started.hash == _hash(input_)
        return "known" if same else "differing", reply.started.workflow_id.int

    return told


async def starts_at_once(world: World) -> History:
    history, org_id = History(), IDS.uuid7()
    keys = [IDS.uuid7() for _ in range(KEYS)]

    async def client(draws: random.Random) -> None:
        for _ in range(CALLS // CLIENTS):
            key, input_ = draws.choice(keys), draws.choice((1, 2))
            program = Program(world, org_id, key=key.hex)
            start, told = program.starting(hash_=_hash(input_)), _told_of_start(program.id, input_)
            await history.of(key, "start", input_, program.commit(start), told, who=program.id.int)
            reading = world.store.workflows.get(org_id, program.id)
            await history.of(
                key, "read", 0, reading, lambda row: row is not None, who=program.id.int
            )
            await asyncio.sleep(0)

    await asyncio.gather(*(client(random.Random(number)) for number in range(CLIENTS)))
    return history


async def test_starts_of_many_under_one_key_could_have_been_made_one_at_a_time(
    world: World,
) -> None:
    history = await starts_at_once(world)

    assert history.misfits(START) == []
    calls = [call for one in history.calls.values() for call in one if call.name == "start"]
    told = Counter(str(call.answer).partition(",")[0].strip("('") for call in calls)
    assert told["started"] == len(history.calls)
    assert min(told["known"], told["differing"]) > 0


def _unknown(*_: object) -> None:
    return


async def test_store_that_starts_one_key_twice_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "known_start", _unknown)

    history = await starts_at_once(MemoryWorld())

    assert history.misfits(START) != []


# ── budgets ─────────────────────────────────────────────────────────────────────────────────────


class Spender:
    """A session of the organization that has one model call under way at most."""

    def __init__(
        self, number: int, session: Session, worker: Worker, budgets: list[UUID], history: History
    ) -> None:
        self._number, self._session, self._worker = number, session, worker
        self._budgets, self._history = budgets, history
        self._held: tuple[Held, UUID] | None = None

    async def work(self, draws: random.Random, calls: int) -> None:
        for _ in range(calls):
            of, budgets = draws.choice(self._budgets), self._session.world.store.budgets
            match draws.choice(("call", "call", "call", "read", "add")):
                case "read":
                    reading = budgets.get(self._session.org_id, of)
                    await self._history.of(of, "read", 0, reading, _left)
                case "add" if draws.random() < 0.3:
                    add = TopUp(
                        org_id=self._session.org_id, budget_id=of, amount=3, description=None
                    )
                    adding = budgets.top_up(add, IDS.uuid7())
                    await self._history.of(of, "add", add.amount, adding, bool)
                case _:
                    await self._call(draws, of)
            await asyncio.sleep(0)

    async def _call(self, draws: random.Random, of: UUID) -> None:
        """Begins one, or ends the one that is under way."""
        if self._held is None:
            amount = draws.choice((1, 2, 4))
            held, changes = begun(self._session, self._worker, of, amount)
            reply = await self._commit(of, "hold", amount, changes)
            self._held = (held, of) if reply.verdict is Verdict.COMMITTED else None
        else:
            held, of = self._held
            used = draws.choice((0, 1, 1, 2))
            await self._commit(of, "end", used, self._ending(held, used))
            self._held = None

    def _ending(self, held: Held, used: int) -> Changes:
        charge = Charge(task_id=held.task_id, currency="calls", amount=used)
        return self._session.changes(
            closes=(close(held, closing=Closing.CANCELLED),),
            spending=Spending(ended=(held.task_id,), charges=(charge,)),
        )

    async def _commit(self, of: UUID, name: str, argument: int, changes: Changes) -> Committed:
        return await self._history.of(
            of, name, argument, self._session.commit(changes), lambda reply: reply.verdict,
            who=self._number,
        )  # fmt: skip


def _left(view: BudgetView | None) -> object:
    return None if view is None else (view.balance, view.reserved)


async def spending_at_once(world: World) -> History:
    first, worker = await Session.opened(world), await Worker.attached(world)
    sessions = [first, *[await Session.opened(world, first.org_id) for _ in range(CLIENTS - 1)]]
    budgets, history = [await made(first, ALLOWED) for _ in range(BUDGETS)], History()
    spenders = [
        Spender(number, session, worker, budgets, history)
        for number, session in enumerate(sessions)
    ]
    await asyncio.gather(*(
        spender.work(random.Random(f"spender {number}"), CALLS // CLIENTS)
        for number, spender in enumerate(spenders)
    ))  # fmt: skip
    return history


async def test_holds_of_many_on_one_budget_could_have_been_made_one_at_a_time(
    world: World,
) -> None:
    history = await spending_at_once(world)

    assert history.misfits(budget(ALLOWED)) == []
    told = Counter((call.name, str(call.answer)) for one in history.calls.values() for call in one)
    # The first holds always fit, and as many as there are clients never fit together.
    assert told["hold", str(Verdict.COMMITTED)] > 0
    assert told["hold", str(Verdict.CONFLICT)] > 0
    assert told["end", str(Verdict.COMMITTED)] > 0


def _fits_always(*_: object) -> bool:
    return True


async def test_store_that_lets_every_hold_fit_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BudgetTables, "_fits", _fits_always)

    history = await spending_at_once(MemoryWorld())

    assert history.misfits(budget(ALLOWED)) != []


@pytest.mark.parametrize(
    "calls",
    [
        # Together they hold more than there is; a read does not see a hold that had been answered.
        [("hold", 8, Verdict.COMMITTED, 0, 2, 1), ("hold", 8, Verdict.COMMITTED, 1, 3, 2)],
        [("hold", 8, Verdict.COMMITTED, 0, 1, 1), ("read", 0, (12, 0), 2, 3, 2)],
    ],
)
def test_spending_that_no_order_explains_is_refused(
    calls: list[tuple[str, int, object, int, int, int]],
) -> None:
    key = UUID(int=1)

    assert misfit([Call(key, *call) for call in calls], budget(ALLOWED)) != []
