"""Who waits for a configuration, and who asks for it."""

import asyncio

import pytest

from mainspring_schema.frames import Config
from mainspring_workstream.attempt import HandedBack
from mainspring_workstream.configs import Configs, ConfigUnusable

HASH = b"h"
UNKNOWN = Config(hash=HASH, body=b"")


class Engine:
    """What it is asked for now, and how often it was."""

    def __init__(self) -> None:
        self.wanted: list[bytes] = []
        self.asked = 0
        self.configs = Configs(want=self._want, forget=self.wanted.remove)

    def _want(self, hash_: bytes) -> None:
        self.asked += 1
        self.wanted.append(hash_)

    def answer(self) -> None:
        """Or what is wanted comes with a task."""
        self.configs.keep(UNKNOWN)

    async def waiter(self) -> "asyncio.Task[object]":
        task: asyncio.Task[object] = asyncio.create_task(self.configs.get(HASH))
        await asyncio.sleep(0)
        return task


async def cancelled(task: "asyncio.Task[object]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_those_who_wait_together_ask_once() -> None:
    engine = Engine()
    waiters = [await engine.waiter() for _ in range(2)]

    engine.answer()

    for waiter in waiters:
        with pytest.raises(ConfigUnusable):
            await waiter
    assert (engine.asked, engine.wanted) == (1, [])


async def test_once_the_last_one_is_stopped_nobody_asks_any_more() -> None:
    engine = Engine()
    first, second = [await engine.waiter() for _ in range(2)]

    await cancelled(first)
    assert engine.wanted == [HASH]
    await cancelled(second)
    assert engine.wanted == []

    third = await engine.waiter()
    assert engine.asked == 2
    engine.answer()
    with pytest.raises(ConfigUnusable):
        await third


async def test_an_answer_that_is_late_hands_the_task_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring_workstream.configs.CONFIG_TIMEOUT_S", 0.0)
    engine = Engine()

    with pytest.raises(HandedBack):
        await engine.configs.get(HASH)

    assert engine.wanted == []
