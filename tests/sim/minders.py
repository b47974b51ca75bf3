"""People whom turns wait for: they decide about calls, answer, bring results, and give money.

Each looks now and then at what waits in a session, acts on some of it, and is late for some.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_harness.builtin import ask_user, tool_approval
from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds, SessionId
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.appeals import AnswerAppeals, Decision, Reply, Ruling
from mainspring_schema.budgets import (
    MICRO,
    BudgetView,
    ChangeBudget,
    CreateBudget,
    Currency,
    GetBudget,
    Period,
    ResumeSession,
    Subject,
    TopUp,
)
from mainspring_schema.commands import ClientToolResult, SubmitToolResults
from mainspring_schema.messages import Json
from tests.sim.asking import asked
from tests.sim.loop import here
from tests.sim.tools import CLIENTS
from tests.sim.world import World

HELD_BACK: Final = ("set_lamp", "send_letter")
"""Calls that need somebody's leave."""
_LOOK_S: Final = 2.0
_LATE: Final = 0.4
"""How often nobody acts on what waits; some of it is too late then."""
_EXPIRES_S: Final = 8
_QUESTION_S: Final = 12
_ROOM: Final[dict[Currency, tuple[int, int]]] = {
    "calls": (1, 3), "seconds": (20, 60), "tokens": (1_000, 4_000),
}  # fmt: skip
"""Of a budget, in its currency: few calls of a model, and then a turn has to wait."""
_PERIOD_S: Final = (3, 10)
_DECISIONS: Final[tuple[Decision, ...]] = (
    "allow", "allow", "allow", "reject", "allow_always", "reject_always",
)  # fmt: skip


class Told(NamedTuple):
    """What somebody was told became of a call that waited."""

    session_id: SessionId
    call_id: str
    outcome: str


class Minders(Struct, kw_only=True):
    """`budgets` are those that are there for sure."""

    told: list[Told]
    budgets: list[UUID]
    sessions: set[UUID]


def refs() -> tuple[CapabilityRef, ...]:
    """What an agent has that waits for people."""
    held: Json = dict.fromkeys(HELD_BACK, "ask")
    approval: Json = {"mode": "off", "tools": held, "expires_seconds": _EXPIRES_S}
    return (
        CapabilityRef(ref=tool_approval.ID, config=approval),
        CapabilityRef(ref=ask_user.ID, config={"timeout_seconds": _QUESTION_S}),
    )


# ── what waits ──────────────────────────────────────────────────────────────────────────────────


class _Id(Struct):
    id: str = ""


class _Call(Struct, frozen=True):
    id: str = ""
    name: str = ""


class _Data(Struct):
    tool_call: _Call = _Call()
    tool_call_id: str = ""
    tool_name: str = ""
    decision: str = ""
    tool_calls: tuple[_Id, ...] = ()
    outcome: str = ""
    status: str = ""


class _Payload(Struct):
    data: _Data


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)


def data_of(payload: bytes) -> _Data:
    return _PAYLOAD.decode(payload).data


class Waiting(Struct, kw_only=True):
    """Calls of a session by id, as somebody who reads its log knows them."""

    approvals: dict[str, None]
    questions: dict[str, None]
    clients: dict[str, None]


def waiting(world: World, session_id: SessionId) -> Waiting:
    now = Waiting(approvals={}, questions={}, clients={})
    for row in world.tables.log.events[session_id]:
        match row.event.type:
            case "approval.requested":
                now.approvals[data_of(row.event.payload).tool_call_id] = None
            case "question.asked":
                now.questions[data_of(row.event.payload).tool_call_id] = None
            case "tool.call_requested":
                now.clients |= {one.id: None for one in data_of(row.event.payload).tool_calls}
            case "approval.resolved":
                now.approvals.pop(data_of(row.event.payload).tool_call_id, None)
            case "tool.completed" | "question.answered":
                call_id = data_of(row.event.payload).tool_call_id
                now.clients.pop(call_id, None)
                now.questions.pop(call_id, None)
            case _:
                pass
    return now


# ── who comes ───────────────────────────────────────────────────────────────────────────────────


async def come(world: World, minders: Minders, session_id: SessionId, ids: SeededIds) -> None:
    """Returns once the session's budgets count; whoever minds it stays."""
    weather, host = world.weather, here()
    assert host is not None
    minder = _Minder(world, minders, session_id, ids)
    minders.sessions.add(session_id)
    if weather.asks:
        host.spawn(minder.mind(), "minder")
    if weather.budget is not None:
        await minder.give(weather.budget, renews=weather.budget_renews)


class _Minder:
    def __init__(
        self, world: World, minders: Minders, session_id: SessionId, ids: SeededIds
    ) -> None:
        self._world, self._minders, self._session_id = world, minders, session_id
        self._ids, self._draws = ids, world.minding

    async def _asked(self, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return await asked(self._world, "engine", ask, self._draws)

    async def mind(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S * (0.5 + self._draws.random()))
            now = waiting(self._world, self._session_id)
            if self._draws.random() < _LATE:
                continue
            try:
                await self._answer(now)
                await self._bring(now)
            except MainspringError:
                pass  # somebody was first, or it was too late

    async def _answer(self, now: Waiting) -> None:
        """Some of what waits, in one order."""
        draws = self._draws
        approvals = [one for one in now.approvals if draws.random() < 0.7]
        questions = [one for one in now.questions if draws.random() < 0.7]
        if not approvals and not questions:
            return
        answer = AnswerAppeals(
            org_id=DEFAULT_ORG_ID, session_id=self._session_id,
            rulings=tuple(
                Ruling(tool_call_id=one, decision=draws.choice(_DECISIONS)) for one in approvals
            ),
            replies=tuple(
                Reply(tool_call_id=one, status="answered", result={"answers": {"q": "yes"}})
                for one in questions
            ),
        )  # fmt: skip
        receipt = await self._asked(lambda engine: engine.control.answer_appeals(answer))
        self._minders.told += [
            Told(self._session_id, one.tool_call_id, one.outcome) for one in receipt.resolved
        ]

    async def _bring(self, now: Waiting) -> None:
        calls = [one for one in now.clients if self._draws.random() < 0.8]
        if calls:
            results = tuple(
                ClientToolResult(tool_call_id=one, result={"by": CLIENTS[0]}) for one in calls
            )
            command = SubmitToolResults(
                org_id=DEFAULT_ORG_ID, session_id=self._session_id, results=results
            )
            await self._asked(lambda engine: engine.control.submit_tool_results(command))

    # ── money ───────────────────────────────────────────────────────────────────────────────────

    async def give(self, currency: Currency, *, renews: bool) -> None:
        host = here()
        assert host is not None
        draws = self._draws
        period = Period(type="duration", seconds=draws.randint(*_PERIOD_S)) if renews else None
        subjects = [Subject(type="session", id=self._session_id)]
        if not self._minders.budgets:
            subjects.append(Subject(type="organization", id=DEFAULT_ORG_ID))
        for subject in subjects:
            order = CreateBudget(
                org_id=DEFAULT_ORG_ID, budget_id=self._ids.uuid7(), subject=subject,
                currency=currency, allowed=MICRO * draws.randint(*_ROOM[currency]),
                soft=None, metadata=b"{}", period=period,
            )  # fmt: skip
            await self._asked(lambda engine: engine.operator.operate(order))  # noqa: B023 - awaited at once
            self._minders.budgets.append(order.budget_id)
            if not renews:
                host.spawn(self._top_up(order), "minder")
            elif self._world.weather.budget_meddled:
                host.spawn(self._meddle(order.budget_id), "minder")

    async def _top_up(self, made: CreateBudget) -> None:
        """Of a budget that does not renew; somebody has to say that the session may go on."""
        question = GetBudget(org_id=DEFAULT_ORG_ID, budget_id=made.budget_id)
        more = TopUp(
            org_id=DEFAULT_ORG_ID, budget_id=made.budget_id, amount=made.allowed, description=None
        )
        while True:
            await asyncio.sleep(_LOOK_S * (0.5 + self._draws.random()))
            view: BudgetView = await self._asked(lambda engine: engine.operator.inspect(question))
            if view.balance - view.reserved < made.allowed // 2:
                await self._asked(lambda engine: engine.operator.operate(more))
            await self._resume()

    async def _meddle(self, budget_id: UUID) -> None:
        """Stops one that renews for a while, and says then that the session may go on."""
        while self._world.loop.time() < self._world.weather.heal_s:
            await asyncio.sleep(4 * _LOOK_S * (0.5 + self._draws.random()))
            for status in ("paused", "active"):
                change = ChangeBudget(org_id=DEFAULT_ORG_ID, budget_id=budget_id, status=status)
                await self._asked(lambda engine: engine.operator.operate(change))  # noqa: B023 - awaited at once
                await asyncio.sleep(_LOOK_S * self._draws.random())
        active = ChangeBudget(org_id=DEFAULT_ORG_ID, budget_id=budget_id, status="active")
        while True:
            # A pause that nobody answered may come to pass late, behind what took it back.
            await self._asked(lambda engine: engine.operator.operate(active))
            # Turns may rest because it was paused, and none of them has a timer.
            await self._resume()
            await asyncio.sleep(4 * _LOOK_S)

    async def _resume(self) -> None:
        """Lets its session go on, and children, which nobody minds else."""
        minded = self._minders.sessions - {self._session_id}
        for session_id in [one for one in self._world.tables.log.events if one not in minded]:
            order = ResumeSession(org_id=DEFAULT_ORG_ID, session_id=session_id)
            with suppress(NotFound):  # a workflow's
                await self._asked(lambda engine: engine.operator.operate(order))  # noqa: B023 - awaited at once
