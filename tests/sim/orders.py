"""People who start programs, send them letters, fork and cancel them, and hand in plain tasks.

Whoever is not answered asks again: with the same key and another id, as a client does.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring import Workflow
from mainspring_engine.domain.plain import EXHAUSTED
from mainspring_kernel.errors import (
    Conflict,
    MainspringError,
    WorkflowEnded,
    WorkflowKeyMismatch,
)
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_kernel.limits import PRIORITY_MAX
from mainspring_schema.plain import (
    CancelPlainTask,
    GetPlainTask,
    PlainStatus,
    RequeuePlainTask,
    SubmitTask,
    SubmitTasks,
)
from mainspring_schema.workflows import (
    CancelWorkflow,
    ForkWorkflow,
    GetWorkflow,
    SignalWorkflow,
    StartWorkflow,
)
from tests.sim import askers, keys
from tests.sim.asking import GaveUp, asked
from tests.sim.loop import POISON, here
from tests.sim.wanted import ABSENT, FORKED_AT, PATIENT, Order, drawn, letter
from tests.sim.wiring import BUILD
from tests.sim.world import World

_ARRIVE: Final = 0.8
"""Of the time until everything is mended."""
_LOOK_S: Final = 3.0
_WITHIN_MS: Final = (None, 200, 3_000, 20_000)
_UNKNOWN: Final = 0.2
_CLOSES_MS: Final = (None, 500, 4_000, 15_000)
_BOUND: Final = 0.6
_UNHEARD: Final = 0.1
_FORCED: Final = 0.2
_FORKED_EARLY: Final = frozenset({"errand", "chart", "rounds", "crowd", "renewing", "ascent"})
_STRANGE: Final = 0.3
"""How often somebody tries the key of another one."""
_CLIMBS: Final = 0.4
_TIRES: Final = 0.3
_HEIGHT: Final = 3
PRESS: Final = "press"
"""The circuit of some plain tasks."""
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


class Haste(Struct, frozen=True):
    """How much a plain task hurries."""

    within_ms: int | None = None
    """It is to be begun so soon."""
    priority: int = 0
    unknown: bool = False
    """Nobody offers its kind: it can only be too late."""
    circuit: str = ""


class Handed(Struct, kw_only=True):
    """A plain task, and what its owner was told. `said` is how it ended, once that was told."""

    key: str
    task_id: UUID
    cancels: bool
    fails: bool
    needs: tuple[str, ...]
    poisons: bool
    """It ends each worker that tries it."""
    climbs: bool = False
    """It tells how far it is."""
    tires: bool = False
    """It fails whenever it is tried, and is tried again until nobody wants to."""
    build: str = ""
    haste: Haste = Haste()
    said: PlainStatus | None = None
    again_id: UUID | None = None
    """The task that does it again."""
    settled: bool = False


class Orders(Struct, kw_only=True):
    placed: list[Order]
    handed: list[Handed]
    gave_up: list[str]
    wrong: list[str]


def come(world: World, orders: Orders) -> None:
    """Lets everybody in, on the host that calls."""
    host = here()
    assert host is not None
    draws = world.orders
    ids = SeededIds(world.tables.clock, draws.getrandbits(64))
    limited = world.weather.limited
    for number in range(world.weather.programs):
        order = drawn(draws, f"order-{number}", keys.needed(world.needing, limited=limited))
        _bind(world, order)
        orders.placed.append(order)
        host.spawn(_Person(world, orders, ids).place(order), "person")
    for number in range(world.weather.plain_tasks):
        handed = Handed(
            key=f"task-{number}", task_id=ids.uuid7(), cancels=draws.random() < 0.3,
            fails=draws.random() < 0.2, poisons=world.weather.poison and draws.random() < 0.5,
            needs=keys.needed(world.needing, limited=limited), haste=_haste(world),
        )  # fmt: skip
        _shape(world, handed)
        orders.handed.append(handed)
        host.spawn(_Person(world, orders, ids).hand_in(handed), "person")


def _bind(world: World, order: Order) -> None:
    """To a time, and to a build."""
    draws, weather = world.chance.binding, world.weather
    if weather.bounded:
        order.close_ms = draws.choice(_CLOSES_MS)
        order.start_ms = draws.choice(_CLOSES_MS)
        if draws.random() < _UNHEARD:
            order.program, order.letters, order.forks = ABSENT, 0, False
            order.start_ms = _CLOSES_MS[1]
    if weather.builds and draws.random() < _BOUND:
        order.build = f"{BUILD}{draws.randrange(weather.coders)}"
    order.forced = draws.random() < _FORCED
    order.forks_early = order.program in _FORKED_EARLY and draws.random() < _STRANGE


def _shape(world: World, handed: Handed) -> None:
    draws, weather = world.chance.binding, world.weather
    if not handed.fails:
        handed.climbs = draws.random() < _CLIMBS
        handed.tires = not handed.climbs and draws.random() < _TIRES
        handed.fails = handed.tires
    if weather.builds and draws.random() < _BOUND:
        handed.build = f"{BUILD}{draws.randrange(weather.coders)}"


def _haste(world: World) -> Haste:
    draws = world.hurrying
    if not world.weather.hurried:
        return Haste()
    unknown = draws.random() < _UNKNOWN
    within_ms = draws.choice(_WITHIN_MS[1:] if unknown else _WITHIN_MS)
    return Haste(within_ms, draws.randrange(PRIORITY_MAX), unknown, draws.choice(("", PRESS)))


class _Person:
    def __init__(self, world: World, orders: Orders, ids: SeededIds) -> None:
        self._world, self._orders, self._ids = world, orders, ids
        self._draws = world.orders

    async def _asked(self, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return await asked(self._world, "engine", ask, self._draws)

    async def _arrive(self) -> None:
        at_s = self._world.weather.heal_s * _ARRIVE * self._draws.random()
        await asyncio.sleep(max(at_s, keys.LEARNED_S) if self._world.weather.limited else at_s)

    async def place(self, order: Order) -> None:
        await self._arrive()
        try:
            started = await self._asked(lambda engine: engine.workflows.start(self._start(order)))
            order.workflow_id = started.workflow_id
            askers.come(self._world, self._orders.wrong, order.program, started.workflow_id)
            if self._world.chance.binding.random() < _STRANGE:
                await self._start_another(order, started.workflow_id)
            await self._follow(order, started.workflow_id)
        except (MainspringError, GaveUp) as error:
            self._orders.gave_up.append(f"{order.key}: {error!r}")
        order.settled = True

    def _start(self, order: Order) -> StartWorkflow:
        program = self._world.offers.get(order.program)
        drawn = program.drawn if isinstance(program, Workflow) else None
        # A declared one is started with what it declares, or by its name alone.
        with_it = drawn is not None and order.key.endswith(("0", "2"))
        return StartWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=self._ids.uuid7(), type=order.program,
            input=msgspec.json.encode(order.arguments), key=order.key, keys=order.needs,
            build=order.build, close_within_ms=order.close_ms,
            start_within_ms=order.start_ms,
            declaration=drawn.declaration if drawn is not None and with_it else None,
        )  # fmt: skip

    async def _start_another(self, order: Order, id_: UUID) -> None:
        """Under a key that is taken: the same one is found, and another one is refused."""
        again = await self._asked(lambda engine: engine.workflows.start(self._start(order)))
        if again.workflow_id != id_:
            self._orders.wrong.append(f"{order.key} is {id_.hex}, and was told to be {again}")
        another = msgspec.json.encode(["another", *order.arguments[1:]])
        other = msgspec.structs.replace(self._start(order), input=another)
        try:
            await self._asked(lambda engine: engine.workflows.start(other))
        except WorkflowKeyMismatch:
            return
        self._orders.wrong.append(f"another one was started under the key {order.key}")

    async def _follow(self, order: Order, id_: UUID) -> None:
        if order.forks_early:
            await asyncio.sleep(_LOOK_S * self._draws.random())
            await self._fork(order, id_, None)
        for number in range(order.letters):
            await asyncio.sleep(_LOOK_S * self._draws.random())
            await self._write(order, id_, number)
        if order.cancels:
            await asyncio.sleep(_LOOK_S * self._draws.random())
            await self._cancel(order, id_)
        if order.forks and not order.forks_early:
            await self._fork_once_ended(order, id_)

    async def _write(self, order: Order, id_: UUID, number: int) -> None:
        name, payload = letter(order, number)
        said = SignalWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=id_, signal_id=self._ids.uuid7(), name=name,
            payload=msgspec.json.encode(payload),
        )  # fmt: skip
        try:
            await self._asked(lambda engine: engine.workflows.signal(said))
        except WorkflowEnded:
            if order.program in PATIENT and order.close_ms is order.start_ms is None:
                self._orders.wrong.append(f"{order.key} ended before letter {number} came")

    async def _cancel(self, order: Order, id_: UUID) -> None:
        cancel = CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, force=order.forced)
        receipt = await self._asked(lambda engine: engine.workflows.cancel(cancel))
        if receipt.status == "no_op" and not await self._has_ended(id_):
            self._orders.wrong.append(f"a cancel of {order.key} was answered no_op, and it ran")

    async def _has_ended(self, id_: UUID) -> bool:
        get = GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, explain=False)
        view = await self._asked(lambda engine: engine.workflows.get(get))
        return view.status in _ENDED

    async def _fork_once_ended(self, order: Order, id_: UUID) -> None:
        while True:
            if await self._has_ended(id_):
                break
            await asyncio.sleep(_LOOK_S)
        try:
            await self._fork(order, id_, FORKED_AT)
        except MainspringError:
            # One that was stopped, or whose workers were killed, may have no such step.
            stopped = order.cancels or (order.close_ms or order.start_ms) is not None
            if not stopped and not poisoned(self._world):
                raise

    async def _fork(self, order: Order, id_: UUID, step: str | None) -> None:
        def fork() -> ForkWorkflow:
            return ForkWorkflow(
                org_id=DEFAULT_ORG_ID, workflow_id=self._ids.uuid7(), source_id=id_,
                step=step, key=f"{order.key}-fork",
            )  # fmt: skip

        started = await self._asked(lambda engine: engine.workflows.fork(fork()))
        order.fork_id = started.workflow_id

    # ── plain tasks ─────────────────────────────────────────────────────────────────────────────

    async def hand_in(self, handed: Handed) -> None:
        await self._arrive()
        try:
            await self._hand_in(handed)
            ended = await self._end_of(handed.task_id)
            if handed.said not in (None, ended):
                self._orders.wrong.append(f"{handed.key} was {handed.said}, and is {ended}")
            handed.said = ended
            if handed.said != "completed" and not (handed.poisons or handed.haste.unknown):
                await self._again(handed)
        except (MainspringError, GaveUp) as error:
            self._orders.gave_up.append(f"{handed.key}: {error!r}")
        handed.settled = True

    async def _hand_in(self, handed: Handed) -> None:
        haste = handed.haste
        type_, arguments = _call(handed)
        handed.task_id = self._ids.uuid7()  # rows are kept by its time
        task = SubmitTask(
            org_id=DEFAULT_ORG_ID, task_id=handed.task_id,
            type=type_, input=msgspec.json.encode(arguments), keys=handed.needs,
            priority=haste.priority, circuit=haste.circuit, start_within_ms=haste.within_ms,
            build=handed.build,
        )  # fmt: skip
        submit = SubmitTasks(tasks=(task,))
        answer = await self._asked(lambda engine: engine.plain_tasks.submit(submit))
        refusal = answer.receipts[0].refusal
        if refusal is not None:
            self._orders.wrong.append(f"{handed.key} was refused: {refusal}")
        if handed.cancels:
            await asyncio.sleep(2 * self._draws.random())
            cancel = CancelPlainTask(org_id=DEFAULT_ORG_ID, task_id=handed.task_id)
            view = await self._asked(lambda engine: engine.plain_tasks.cancel(cancel))
            handed.said = view.status
            if view.status not in _ENDED:
                self._orders.wrong.append(f"{handed.key} goes on after its cancel: {view.status}")

    async def _end_of(self, task_id: UUID) -> PlainStatus:
        get = GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=task_id)
        while True:
            view = await self._asked(lambda engine: engine.plain_tasks.get(get))
            if view.status in _ENDED:
                return view.status
            await asyncio.sleep(_LOOK_S)

    async def _again(self, handed: Handed) -> None:
        new_id = self._ids.uuid7()
        order = RequeuePlainTask(org_id=DEFAULT_ORG_ID, task_id=handed.task_id, new_id=new_id)
        try:
            await self._asked(lambda engine: engine.plain_tasks.requeue(order))
        except Conflict:
            # Others killed its workers, or it has tired: its letter is what an operator takes up.
            if handed.task_id in self._world.tables.engine.tables.dead_letters:
                return
            raise
        handed.again_id = new_id
        await self._end_of(new_id)


def _call(handed: Handed) -> tuple[str, list[object]]:
    """The step, and what it is called with."""
    key = handed.key
    if handed.haste.unknown:
        return ABSENT, [key]
    if handed.poisons:
        return POISON, [key]
    if handed.climbs:
        return "climb", [key, _HEIGHT]
    if handed.fails:
        return "tire" if handed.tires else "refuse", [key]
    return "mark", [key, 0]


def poisoned(world: World) -> set[UUID]:
    """Tasks that were given up because they killed their workers: no fault of their own."""
    letters = world.tables.engine.tables.dead_letters
    return {id_ for id_, row in letters.items() if row.letter.reason != EXHAUSTED}
