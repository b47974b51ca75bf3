"""Programs where promises meet: generations that wait for letters, branches that wait side by side,
children that are left, fail or come too late, declared waits, and steps that tell how far they are.
"""

import asyncio
from typing import Final, Protocol, TypeVar

from mainspring import (
    Retry,
    Step,
    StepFailed,
    WaitTimedOut,
    Workflow,
    child,
    do,
    do_child,
    do_sleep,
    do_wait_for_signal,
    heartbeat,
    heartbeat_details,
    parallel,
    run_child,
    sequence,
    sleep,
    start_over,
    step,
    wait_for_signal,
    workflow,
)

LETTER: Final = "letter"
"""The name of the signal that workflows wait for."""
REPLY: Final = "reply"
"""Of the other one, where they wait for two."""
TOO_LATE: Final = "too late"
GIVEN_BACK: Final = 1
"""The mark of what heard of its cancel."""
_ROUNDS: Final = 3
FOR_EVER_S: Final = 1e6
"""Longer than anybody looks: such a child ends because somebody ends it, or never."""
T = TypeVar("T")
Offer = Workflow[..., object] | Step[..., object]
Mark = Step[[str, int], str]
Errand = Workflow[[str, int, float], list[str]]
_AGAIN: Final = Retry(attempts=9, first_s=0.1, max_s=1.0)
"""More than the rungs stumble altogether."""


class Climbers(Protocol):
    """Where those leave their mark who tell how far they are."""

    async def mark(self, key: str, n: int) -> str: ...

    def reads(self, key: str, height: int) -> None:
        """An attempt begins, and was told that it had come so far."""
        ...

    def tells(self, key: str, height: int) -> None:
        """It tells that it has come so far."""
        ...


def corners(
    ledger: Climbers, mark: Mark, refuse: Step[[str], str], errand: Errand,
    hopeless: Workflow[[str], list[str]],
) -> list[Offer]:  # fmt: skip
    return [
        *_of_letters(mark),
        *_of_patience(mark),
        *_of_failures(mark, errand, hopeless),
        *_of_children(mark, errand, hopeless),
        *_declared(mark, refuse, errand),
        *_climbing(ledger),
    ]


def _of_letters(mark: Mark) -> list[Offer]:
    @workflow
    async def serial(key: str, letters: int, found: list[int]) -> list[int]:
        """A generation for each letter."""
        found = [*found, await wait_for_signal(LETTER, type=int)]
        await mark(key, len(found))
        if len(found) < letters:
            await start_over(key, letters, found)
        return found

    @workflow
    async def pair(key: str, letters: int) -> list[object]:
        """Side by side: each name has its own order."""

        async def all_of(name: str) -> list[int]:
            return [await wait_for_signal(name, type=int) for _ in range(letters)]

        mine, theirs = await asyncio.gather(all_of(LETTER), all_of(REPLY))
        return [mine, theirs, await mark(key, 0)]

    return [serial, pair]


def _of_patience(mark: Mark) -> list[Offer]:
    @workflow
    async def lookout(key: str, wait_s: float) -> list[object]:
        """It looks again and again, and must have the letter in the end."""
        while True:
            try:
                return [await wait_for_signal(LETTER, timeout_s=wait_s), await mark(key, 0)]
            except WaitTimedOut:
                continue

    @workflow
    async def sieve(key: str, letters: int, found: list[int]) -> list[int]:
        """A branch waits for a letter, is cancelled, and another one has what came meanwhile."""
        for _ in range(_ROUNDS):
            letter = asyncio.ensure_future(wait_for_signal(LETTER, type=int))
            timer = asyncio.ensure_future(sleep(0.4))
            await asyncio.wait({letter, timer}, return_when=asyncio.FIRST_COMPLETED)
            (timer if letter.done() else letter).cancel()
            found = [*found, letter.result()] if letter.done() else found
            if len(found) == letters:
                return found
        return await start_over(key, letters, found)

    return [lookout, sieve]


def _of_failures(mark: Mark, errand: Errand, hopeless: Workflow[[str], list[str]]) -> list[Offer]:
    @workflow
    async def tardy() -> None:
        """Nobody writes to it, and it makes nothing of that."""
        await wait_for_signal(LETTER, timeout_s=0.2)

    @workflow
    async def forgiving(key: str) -> list[object]:
        """Two children fail, another one comes too late: none of that is the end of it."""
        failed: list[object] = []
        for begin in (lambda: run_child(hopeless, f"{key}.0"), lambda: run_child(tardy)):
            try:
                await begin()
            except StepFailed as error:
                failed.append(error.code)
        try:
            late: object = await child(errand, timeout_s=0.5).run(f"{key}.1", 1, FOR_EVER_S)
        except WaitTimedOut:
            late = TOO_LATE
        return [failed, late, await mark(key, 0)]

    return [tardy, forgiving]


def _of_children(mark: Mark, errand: Errand, hopeless: Workflow[[str], list[str]]) -> list[Offer]:
    @workflow
    async def quarrel(key: str) -> list[str]:
        """It fails with one child, and the other one has to stop."""
        await asyncio.gather(
            run_child(hopeless, f"{key}.0"), run_child(errand, f"{key}.1", 1, FOR_EVER_S)
        )
        return []

    @workflow
    async def renewing(key: str, left: int, found: list[str]) -> list[str]:
        """Each generation leaves a child behind, which has to stop."""
        left_behind = asyncio.ensure_future(run_child(errand, f"{key}.{left}", 1, FOR_EVER_S))
        found = [*found, await mark(key, left)]
        if left:
            await start_over(key, left - 1, found)
        left_behind.cancel()
        return found

    @workflow(compensates=True)
    async def caravan(key: str) -> list[str]:
        """What it gives back takes a time, and a child of its own."""
        try:
            await mark(key, 0)
            await run_child(errand, f"{key}.0", 1, FOR_EVER_S)
        except asyncio.CancelledError:
            await sleep(0.3)
            await run_child(errand, f"{key}.1", 1, 0.2)
            await mark(key, GIVEN_BACK)
            raise
        return []

    return [quarrel, renewing, caravan]


def _declared(mark: Mark, refuse: Step[[str], str], errand: Errand) -> list[Offer]:
    @workflow(driver="machine")
    def clockwork(key: str) -> list[object]:
        with parallel():
            letter = do_wait_for_signal(LETTER, type=int)
            with sequence():
                do_sleep(0.5)
                first = do(mark, key, 0)
                second = do(mark, key, 1)
        do_sleep(1.0)
        return [letter, first, second, do(mark, key, 2)]

    @workflow(driver="machine")
    def doomed(key: str, other: str) -> list[object]:
        """A step fails while a child is at work."""
        with parallel():
            grown = do_child(errand, other, 1, FOR_EVER_S)
            with sequence():
                first = do(mark, key, 0)
                second = do(refuse, key)
        return [grown, first, second]

    @workflow(driver="machine")
    def appointment(key: str) -> list[object]:
        """It may be that nobody comes in time, and then what is beside it stops."""
        with parallel():
            letter = do_wait_for_signal(LETTER, timeout_s=1.5, type=int)
            with sequence():
                do_sleep(1.0)
                first = do(mark, key, 0)
                do_sleep(1.0)
        return [letter, first]

    return [clockwork, doomed, appointment]


def _climbing(ledger: Climbers) -> list[Offer]:
    async def rungs(key: str, height: int) -> list[str]:
        found = heartbeat_details(list[str]) or []
        ledger.reads(key, len(found))
        for n in range(len(found), height):
            found = [*found, await ledger.mark(key, n)]
            heartbeat(found)
            ledger.tells(key, len(found))
        return found

    @step(retry=_AGAIN, heartbeat_s=60)
    async def climb(key: str, height: int) -> list[str]:
        return await rungs(key, height)

    @step(retry=_AGAIN, queue="default")
    async def climb_afar(key: str, height: int) -> list[str]:
        return await rungs(key, height)

    @workflow
    async def ascent(key: str, height: int) -> list[object]:
        return list(await asyncio.gather(climb(key, height), climb_afar(f"{key}.far", height)))

    return [climb, climb_afar, ascent]
