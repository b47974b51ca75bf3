"""What the code makes of who comes first is the same in every replay, and is done once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from mainspring import NO_RETRY, StepFailed, sleep, step, wait_for_signal, workflow
from mainspring.definitions import Workflow
from mainspring_schema.workflows import StepRecord
from tests.unit.sdk.fake import FakeEngine

CALLED: Counter[object] = Counter()


@pytest.fixture(autouse=True)
def nothing_yet() -> None:
    CALLED.clear()


@step
async def take(name: int, passes: int) -> int:
    """So many passes of the loop."""
    CALLED[name] += 1
    for _ in range(passes):
        await asyncio.sleep(0)
    return name


@step(retry=NO_RETRY)
async def fail(passes: int) -> None:
    CALLED["fail"] += 1
    for _ in range(passes):
        await asyncio.sleep(0)
    raise ValueError


@step
async def never() -> None:
    CALLED["never"] += 1
    await asyncio.Event().wait()


async def body_beside_a_task() -> object:
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(take(1, 60))
        await take(2, 0)
        await take(3, 0)
    return slow.result()


async def body_beside_a_task_that_begins_late() -> object:
    async def late() -> int:
        for _ in range(20):
            await asyncio.sleep(0)
        return await take(1, 0)

    task = asyncio.create_task(late())
    return [await take(2, 0), await take(3, 0), await task]


async def first_answer_wins() -> object:
    answers: list[int] = []

    async def ask(name: int, passes: int) -> None:
        answers.append(await take(name, passes))

    await asyncio.gather(ask(1, 90), ask(2, 30), ask(3, 0))
    return [*answers, await take(10 + answers[0], 0)]


async def tasks_in_a_loop() -> object:
    tasks: list[asyncio.Task[int]] = []
    for number in range(4):
        found = await take(number, 3)
        tasks.append(asyncio.create_task(take(10 + found, 40 - 10 * number)))
    return await asyncio.gather(*tasks)


async def consumers_of_a_queue() -> object:
    queue: asyncio.Queue[int] = asyncio.Queue()
    for number in range(8):
        queue.put_nowait(number)
    done: list[tuple[str, int]] = []

    async def consume(who: str) -> None:
        while not queue.empty():
            number = queue.get_nowait()
            done.append((who, await take(number, number * 7 % 5 * 9)))

    await asyncio.gather(*(consume(who) for who in "abc"))
    return done


async def as_they_come() -> object:
    # Bare calls would begin in the order of a set, which is none.
    calls = [asyncio.create_task(take(n, passes)) for n, passes in ((1, 40), (2, 0), (3, 80))]
    return [await one for one in asyncio.as_completed(calls)]


async def one_behind_a_lock_and_an_event() -> object:
    lock, event, done = asyncio.Lock(), asyncio.Event(), list[int]()

    async def locked(number: int) -> None:
        found = await take(number, 20 - number * 5)
        async with lock:
            done.append(await take(20 + found, 2))

    async def after() -> None:
        await event.wait()
        done.append(await take(30, 0))

    async def before() -> None:
        await take(31, 15)
        event.set()

    await asyncio.gather(*(locked(number) for number in range(3)), after(), before())
    return done


async def compensated() -> object:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(never())
            group.create_task(fail(3))
    except* StepFailed:
        pass
    return await take(1, 0)


async def left_by_its_own_cancel() -> object:
    task = asyncio.create_task(never())
    await take(1, 2)
    task.cancel()
    await asyncio.wait((task,))
    return [task.cancelled(), await take(2, 0)]


async def cancelled_once_it_had_come() -> object:
    quick = asyncio.create_task(take(1, 0))
    await take(2, 40)
    quick.cancel()
    return [await quick, await take(3, 0)]


async def late() -> object:
    try:
        async with asyncio.timeout(0.02):
            await never()
    except TimeoutError:
        return await take(1, 0)


PROGRAMS = [
    body_beside_a_task, body_beside_a_task_that_begins_late, first_answer_wins, tasks_in_a_loop,
    consumers_of_a_queue, as_they_come,
    one_behind_a_lock_and_an_event, compensated, left_by_its_own_cancel,
    cancelled_once_it_had_come, late,
]  # fmt: skip


def named(program: Callable[[], Awaitable[object]]) -> "Workflow[..., object]":
    async def code() -> object:
        return await program()

    return workflow(name=getattr(program, "__name__", "drawn"))(code)


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_replay_comes_to_the_same_and_calls_nothing_again(
    program: Callable[[], Awaitable[object]],
) -> None:
    it = named(program)
    engine = FakeEngine()
    first = await engine.run(it)
    called = dict(CALLED)
    assert first.outcome == "completed"

    for _ in range(3):
        again = await engine.go(it).run()

        assert (again.outcome, again.result, again.steps) == ("completed", first.result, ())
    assert dict(CALLED) == called
    assert set(called.values()) == {1}


@pytest.mark.parametrize("program", PROGRAMS)
async def test_whoever_goes_on_from_any_moment_does_nothing_again_that_is_recorded(
    program: Callable[[], Awaitable[object]],
) -> None:
    it = named(program)
    whole = FakeEngine()
    first = await whole.run(it)
    records = [one for one in whole.records.values() if one.step != "0"]

    for kept in range(len(records)):
        CALLED.clear()
        engine = FakeEngine()
        engine.keep(records[:kept])
        result = await engine.run(it)

        assert result.outcome == "completed", result
        before = {place for place in engine.records if place in {r.step for r in records[:kept]}}
        assert len(before) == kept
        # One that was left the moment it began was not called.
        assert sum(CALLED.values()) <= len(engine.records) - 1 - kept
        if kept == len(records) - 1:
            assert result.result == first.result


async def test_the_order_in_which_an_engine_found_things_decides_again() -> None:
    @workflow
    async def race() -> object:
        approved = asyncio.create_task(wait_for_signal("approve", type=str))
        timer = asyncio.create_task(sleep(1.5))
        done, _ = await asyncio.wait({approved, timer}, return_when=asyncio.FIRST_COMPLETED)
        return "timer" if timer in done else approved.result()

    engine = FakeEngine()
    (signal, slept) = (await engine.go(race).run()).waits
    found = {
        wait: StepRecord(
            step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash,
            result=b'"Ada"' if wait is signal else b"null", nth=nth,
        )
        for wait, nth in ((signal, 5), (slept, 9))
    }  # fmt: skip

    engine.keep([found[slept], found[signal]])

    assert (await engine.go(race).run()).result == b'"Ada"'


@pytest.mark.parametrize("passes", range(0, 80, 5))
async def test_what_is_found_before_the_code_waits_for_it_is_not_overlooked(passes: int) -> None:
    """Whoever rests then says that he knows of it, so that the engine looks for nothing."""

    @workflow
    async def both() -> str:
        await asyncio.gather(sleep(1), sleep(1))
        return "over"

    engine = FakeEngine()
    told = (await engine.go(both).run()).waits
    found = tuple(
        StepRecord(step=it.step, name=it.name, kind=it.kind, input_hash=it.input_hash, nth=nth)
        for nth, it in enumerate(told, start=1)
    )
    go = engine.go(both)
    running = asyncio.create_task(go.run())
    for _ in range(passes):
        await asyncio.sleep(0)

    go.news(found)

    assert (await running).result == b'"over"'


# ── programs by chance ──────────────────────────────────────────────────────────────────────────


class Drawn:
    """Branches within branches that hand things to each other, and a list of what they saw."""

    def __init__(self, seed: int) -> None:
        self._draws = Random(f"programs {seed}")
        self._names = 0
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self.seen: list[object] = []
        self._code = self._drawn(3)

    async def __call__(self) -> object:
        await self._code()
        return self.seen

    def _drawn(self, depth: int) -> Callable[[], Awaitable[object]]:
        kinds = (self._step, self._step, self._hands, self._takes)
        more = (self._sequence, self._together, self._first_of, self._beside)
        return self._draws.choice(kinds if depth == 0 else (*kinds, *more, *more))(depth)

    def _some(self, depth: int) -> list[Callable[[], Awaitable[object]]]:
        return [self._drawn(depth - 1) for _ in range(self._draws.choice((2, 3, 4)))]

    def _step(self, _: int) -> Callable[[], Awaitable[object]]:
        self._names += 1
        name, passes = self._names, self._draws.choice((0, 0, 1, 5, 20, 60))

        async def code() -> None:
            self.seen.append(await take(name, passes))

        return code

    def _hands(self, _: int) -> Callable[[], Awaitable[object]]:
        async def code() -> None:
            self._queue.put_nowait(len(self.seen))

        return code

    def _takes(self, _: int) -> Callable[[], Awaitable[object]]:
        async def code() -> None:
            if not self._queue.empty():
                self.seen.append(("taken", self._queue.get_nowait()))

        return code

    def _sequence(self, depth: int) -> Callable[[], Awaitable[object]]:
        some = self._some(depth)

        async def code() -> None:
            for one in some:
                await one()

        return code

    def _together(self, depth: int) -> Callable[[], Awaitable[object]]:
        some = self._some(depth)

        async def code() -> None:
            await asyncio.gather(*(one() for one in some))

        return code

    def _first_of(self, depth: int) -> Callable[[], Awaitable[object]]:
        some = self._some(depth)

        async def code() -> None:
            tasks = [asyncio.ensure_future(one()) for one in some]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.seen.append(("first", [task.done() for task in tasks]))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

        return code

    def _beside(self, depth: int) -> Callable[[], Awaitable[object]]:
        beside, others = self._drawn(depth - 1), self._some(depth)

        async def code() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(beside())  # pyright: ignore[reportArgumentType] -- a coroutine
                for one in others:
                    await one()

        return code


@pytest.mark.parametrize("seed", range(40))
async def test_programs_by_chance_see_the_same_from_any_moment_on(seed: int) -> None:
    def it() -> "Workflow[..., object]":
        return named(Drawn(seed))

    whole = FakeEngine()
    first = await whole.run(it())
    assert first.outcome == "completed"
    records = [one for one in whole.records.values() if one.step != "0"]

    for kept in range(len(records) + 1):
        CALLED.clear()
        engine = FakeEngine()
        engine.keep(records[:kept])
        result = await engine.run(it())

        assert result.outcome == "completed", (kept, result)
        if kept == len(records):
            assert (result.result, sum(CALLED.values())) == (first.result, 0)
        recalled = {one.result for one in records[:kept] if one.flaw is None}
        assert not recalled & {b"%d" % name for name in CALLED if isinstance(name, int)}
