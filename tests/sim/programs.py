"""What users run on the stack: workflows of code, a declared one, and steps that stand alone.

Each step tells a ledger that it was called, by which attempt. A crash takes back nothing of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from random import Random
from typing import Final, NamedTuple, Protocol, TypeVar

from typing_extensions import override

from mainspring import (
    GiveUp,
    Retry,
    Step,
    WaitTimedOut,
    Workflow,
    do,
    do_child,
    do_detached,
    on_query,
    parallel,
    run_child,
    sleep,
    start_detached,
    start_over,
    step,
    wait_for_signal,
    workflow,
)
from mainspring.calling import NO_TOOLS, Announced
from mainspring.ferry import Ferry, Passage
from mainspring.warm import Warm
from mainspring.worker import Runner
from mainspring_kernel.draws import Draws
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.tasks import PlainResult, WorkflowResult, WorkflowTask
from mainspring_workstream.attempt import Attempt, HandedBack
from mainspring_workstream.attempts import Ended
from tests.sim.corners import GIVEN_BACK, LETTER, TOO_LATE, Errand, corners
from tests.sim.loop import POISON, collapse

T = TypeVar("T")
Offer = Workflow[..., object] | Step[..., object]
SO_FAR: Final = "so_far"
"""The query that tells which tokens a workflow has, of those programs that answer it."""
ASKABLE: Final = frozenset({"errand", "hurry", "letterbox", "rounds"})
_STUMBLES_MAX: Final = 2
"""Below the attempts of a step's policy: no step fails for good by chance."""
_AGAIN: Final = Retry(attempts=4, first_s=0.1, max_s=1.0)
_held: ContextVar[Held | None] = ContextVar("held", default=None)


class Call(NamedTuple):
    """A step's call that came to an end. `held` is the attempt that made it."""

    held: Held
    began_s: float
    ended_s: float


class Stumbled(Exception):
    """A step failed, and will not when it is tried again."""


class Marks(Protocol):
    """Where steps leave their mark."""

    async def mark(self, key: str, n: int) -> str:
        """A token that no other call gets."""
        ...

    def reads(self, key: str, height: int) -> None:
        """An attempt at a climb begins, and was told that it had come so far."""
        ...

    def tells(self, key: str, height: int) -> None:
        """It tells that it has come so far."""
        ...


class Ledger:
    """Who called which step, by the key of what they belong to and a number within."""

    def __init__(self, draws: Random, now_s: Callable[[], float], work_s: float) -> None:
        self._draws, self._now_s, self._work_s = draws, now_s, work_s
        self._stumbled: dict[tuple[str, int], int] = defaultdict(int)
        self.stumbles = 0.0
        """How often a call fails."""
        self.calls: dict[tuple[str, int], list[Call]] = defaultdict(list)
        self.climbs: dict[str, dict[Held, int]] = defaultdict(dict)
        """How far each attempt at a climb was told that it had come, when it first asked."""
        self.told: dict[Held, int] = {}
        """How far each said that it has come."""

    async def mark(self, key: str, n: int) -> str:
        """A token that no other call gets. Raises Stumbled."""
        held = _held.get()
        assert held is not None, "a step outside of an attempt"
        began_s = self._now_s()
        await asyncio.sleep(self._work_s * self._draws.random() ** 3)
        if self._draws.random() < self.stumbles and self._stumbled[key, n] < _STUMBLES_MAX:
            self._stumbled[key, n] += 1
            raise Stumbled
        calls = self.calls[key, n]
        calls.append(Call(held, began_s, self._now_s()))
        token = f"{key}/{n}#{len(calls)}"
        await asyncio.sleep(self._work_s * self._draws.random() ** 3)
        return token

    def reads(self, key: str, height: int) -> None:
        held = _held.get()
        assert held is not None, "a step outside of an attempt"
        self.climbs[key].setdefault(held, height)

    def tells(self, key: str, height: int) -> None:
        del key
        held = _held.get()
        assert held is not None, "a step outside of an attempt"
        self.told[held] = height


class Token(NamedTuple):
    """What a step returned, taken apart. `nth` is the place of its call among those alike."""

    key: str
    n: int
    nth: int


def token_of(text: object) -> Token | None:
    """None for what no step returned."""
    if not isinstance(text, str) or "#" not in text:
        return None
    place, _, nth = text.rpartition("#")
    key, _, n = place.rpartition("/")
    return Token(key, int(n), int(nth))


def offers(ledger: Marks) -> dict[str, Offer]:
    """By name. Code runs again after each wait: what it does itself must be the same each time."""

    @step(retry=_AGAIN)
    async def mark(key: str, n: int) -> str:
        return await ledger.mark(key, n)

    @step(retry=_AGAIN)
    async def refuse(key: str) -> str:
        raise GiveUp("refused", key)

    @step(retry=Retry(attempts=2, first_s=0.1))
    async def tire(key: str) -> str:
        del key
        raise Stumbled

    @step(name=POISON)
    async def collapses(key: str) -> str:
        del key
        return await collapse()

    @step(retry=_AGAIN, queue="default")
    async def far(key: str, n: int) -> str:
        return await ledger.mark(key, n)

    hopeless, errand = _hopeless(mark, refuse), _errand(mark)
    alone = [*_alone(mark, far), hopeless, errand]
    others = [*_waiting(mark), *_with_others(mark, errand)]
    found = [mark, refuse, tire, collapses, far, *alone, *others]
    found += corners(ledger, mark, refuse, errand, hopeless)
    return {offer.name: offer for offer in found}


def _alone(mark: Step[[str, int], str], far: Step[[str, int], str]) -> list[Offer]:
    @workflow
    async def crowd(key: str, marks: int) -> list[str]:
        called = ((far if n % 2 else mark)(key, n) for n in range(marks))
        return list(await asyncio.gather(*called))

    @workflow(pipelined=True)
    async def hurry(key: str, marks: int) -> list[str]:
        found: list[str] = []
        on_query(lambda: found, name=SO_FAR)
        for n in range(marks):
            found.append(await mark(key, n))  # noqa: PERF401 - it is asked meanwhile
        return found

    @workflow
    async def rounds(key: str, left: int, found: list[str]) -> list[str]:
        on_query(lambda: found, name=SO_FAR)
        found = [*found, await mark(key, left)]
        if left:
            await start_over(key, left - 1, found)
        return found

    return [crowd, hurry, rounds]


def _hopeless(mark: Step[[str, int], str], refuse: Step[[str], str]) -> Workflow[[str], list[str]]:
    @workflow
    async def hopeless(key: str) -> list[str]:
        return [await mark(key, 0), await refuse(key)]

    return hopeless


def _declared(mark: Step[[str, int], str], errand: Errand) -> list[Offer]:
    @workflow(driver="machine")
    def chart(key: str) -> list[str]:
        first = do(mark, key, 0)
        with parallel():
            second, third = do(mark, key, 1), do(mark, key, 2)
        return [first, second, third, do(mark, key, 3)]

    @workflow(driver="machine")
    def household(key: str, one: str, other: str, left: str) -> list[object]:
        first = do(mark, key, 0)
        do_detached(errand, left, 1, 0.5)
        with parallel():
            grown, charted = do_child(errand, one, 1, 0.5), do_child(chart, other)
        return [first, grown, charted, do(mark, key, 1)]

    return [chart, household]


def _waiting(mark: Step[[str, int], str]) -> list[Offer]:
    @workflow
    async def letterbox(key: str, letters: int) -> list[int]:
        found: list[int] = []
        marked: list[str] = []
        on_query(lambda: marked, name=SO_FAR)
        for n in range(letters):
            found.append(await wait_for_signal(LETTER, type=int))
            marked.append(await mark(key, n))
        return found

    @workflow
    async def patience(key: str, wait_s: float) -> list[object]:
        try:
            came: object = await wait_for_signal(LETTER, timeout_s=wait_s)
        except WaitTimedOut:
            came = TOO_LATE
        return [came, await mark(key, 0)]

    @workflow
    async def race(key: str, wait_s: float) -> list[object]:
        """A replay in which another one comes first does other steps, and is held."""
        letter = asyncio.ensure_future(wait_for_signal(LETTER))
        timer = asyncio.ensure_future(sleep(wait_s))
        done, left = await asyncio.wait({letter, timer}, return_when=asyncio.FIRST_COMPLETED)
        for branch in left:
            branch.cancel()
        if letter not in done:
            await sleep(0.1)
        token = await mark(key, 0)
        await sleep(1.0)
        return [letter.result() if letter in done else TOO_LATE, token]

    return [letterbox, patience, race, _booking(mark)]


def _booking(mark: Step[[str, int], str]) -> Offer:
    @workflow(compensates=True)
    async def booking(key: str, wait_s: float) -> list[str]:
        """Whoever cancels it finds its second mark: what it gave back."""
        try:
            token = await mark(key, 0)
            await sleep(wait_s)
        except asyncio.CancelledError:
            await mark(key, GIVEN_BACK)
            raise
        return [token]

    return booking


def _errand(mark: Step[[str, int], str]) -> Errand:
    @workflow
    async def errand(key: str, marks: int, doze_s: float) -> list[str]:
        found: list[str] = []
        on_query(lambda: found, name=SO_FAR)
        for n in range(marks):
            found.append(await mark(key, n))  # noqa: PERF401 - the same
        await sleep(doze_s)
        found.append(await mark(key, marks))
        return found

    return errand


def _with_others(mark: Step[[str, int], str], errand: Errand) -> list[Offer]:
    @workflow
    async def family(key: str, children: int) -> list[str]:
        await start_detached(errand, f"{key}.d", 1, 0.5)
        grown = await asyncio.gather(
            *(run_child(errand, f"{key}.{n}", 1, 0.5) for n in range(children))
        )
        return [token for tokens in grown for token in tokens]

    return [family, *_declared(mark, errand)]


# ── who runs them ───────────────────────────────────────────────────────────────────────────────


class Carrier(Runner):
    """A worker's runner whose steps know by which attempt they are called.

    Of a go that rested, that is the attempt which began it.
    """

    def __init__(
        self,
        offers: dict[str, Offer],
        loop: asyncio.AbstractEventLoop,
        draws: Draws,
        warm: int,
        gives_back: Callable[[], bool] = lambda: False,
        misfits: Callable[[], bool] = lambda: False,
        announced: Announced = NO_TOOLS,
    ) -> None:
        plain = {name: it for name, it in offers.items() if isinstance(it, Step)}
        super().__init__(
            workflows_of(offers), loop, draws, None, plain=plain, warm=Warm(warm),
            announced=announced,
        )  # fmt: skip
        self._ferry: Ferry[PlainResult] = _Marked(loop)
        self._goes: Ferry[WorkflowResult] = _Marked(loop)
        self._gives_back, self._misfits = gives_back, misfits
        self._given_back: set[Held] = set()

    async def __call__(self, attempt: Attempt) -> bytes:
        _held.set(attempt.held)
        if attempt.held in self._given_back:
            raise HandedBack
        return await super().__call__(attempt)

    @override
    async def _do_go(
        self, workflow: Workflow[..., object], attempt: Attempt, task: WorkflowTask
    ) -> bytes:
        if self._misfits():
            return pack(WorkflowResult(outcome="held"))
        return await super()._do_go(workflow, attempt, task)

    def begin(self, attempt: Attempt, ended: Ended) -> Passage[PlainResult] | None:
        _held.set(attempt.held)
        if self._gives_back():
            self._given_back.add(attempt.held)
            return None
        return super().begin(attempt, ended)


class _Marked(Ferry[T]):
    def send(
        self,
        go: Callable[[], Coroutine[object, object, T]],
        land: Callable[[Passage[T]], None],
    ) -> Passage[T]:
        held = _held.get()

        async def carried() -> T:
            _held.set(held)
            return await go()

        return super().send(carried, land)


def workflows_of(offers: dict[str, Offer]) -> dict[str, Workflow[..., object]]:
    """With each step as a workflow of its own."""
    workflows = (one.task if isinstance(one, Step) else one for one in offers.values())
    return {one.name: one for one in workflows}


def capabilities(offers: dict[str, Offer]) -> tuple[str, ...]:
    """What a worker that offers these says of itself."""
    steps = (name for name, offer in offers.items() if isinstance(offer, Step))
    return (
        *(f"workflow:{name}" for name in workflows_of(offers)),
        *(f"task:{name}" for name in steps),
    )
