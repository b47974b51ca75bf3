"""Folded agents by hash: from the task's frame, from the cache, or asked of the engine."""

import asyncio
from collections.abc import Callable

from msgspec import MsgspecError

from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX, CONTEXT_CACHE_BYTES_MAX
from mainspring_schema.agents import RuntimeAgent, decode_runtime_agent
from mainspring_schema.frames import Config
from mainspring_workstream.attempt import HandedBack
from mainspring_workstream.cache import Cache
from mainspring_workstream.limits import CONFIG_TIMEOUT_S


class ConfigUnusable(Exception):
    """The engine does not know the configuration, or this version cannot read it."""


class Configs:
    """One per worker. `want` asks the engine, `forget` tells that nobody waits any more."""

    def __init__(self, *, want: Callable[[bytes], None], forget: Callable[[bytes], None]) -> None:
        self._want = want
        self._forget = forget
        self._agents: Cache[bytes, RuntimeAgent] = Cache(
            entries_max=CONFIG_CACHE_ENTRIES_MAX, bytes_max=CONTEXT_CACHE_BYTES_MAX // 4
        )
        self._waiting: dict[bytes, _Waiting] = {}

    def keep(self, config: Config) -> None:
        """Takes what the engine sent, asked or not. An empty body means: unknown there."""
        agent = None
        if config.body:
            try:
                agent = decode_runtime_agent(config.body)
            except MsgspecError:
                agent = None
        if agent is not None:
            self._agents.put(config.hash, agent, size=len(config.body))
        waiting = self._waiting.pop(config.hash, None)
        if waiting is not None:
            waiting.answer.set_result(agent)
            self._forget(config.hash)  # it may have come with a task, and not as the answer

    async def get(self, hash_: bytes) -> RuntimeAgent:
        """Raises ConfigUnusable, or HandedBack where the engine does not answer in time."""
        agent = self._agents.get(hash_)
        if agent is not None:
            return agent
        waiting = self._waiting.get(hash_)
        if waiting is None:
            waiting = self._waiting[hash_] = _Waiting()
            self._want(hash_)
        if not await self._answered(hash_, waiting):
            raise HandedBack
        agent = waiting.answer.result()
        if agent is None:
            raise ConfigUnusable
        return agent

    async def _answered(self, hash_: bytes, waiting: "_Waiting") -> bool:
        """Whether it was in time. Who waits last, cancelled or not, asks no more."""
        waiting.heads += 1
        try:
            done, _ = await asyncio.wait((waiting.answer,), timeout=CONFIG_TIMEOUT_S)
        finally:
            waiting.heads -= 1
            if not waiting.heads and self._waiting.get(hash_) is waiting:
                del self._waiting[hash_]
                self._forget(hash_)
        return bool(done)


class _Waiting:
    """An answer that attempts wait for, and how many."""

    __slots__ = ("answer", "heads")

    def __init__(self) -> None:
        self.answer: asyncio.Future[RuntimeAgent | None] = (
            asyncio.get_running_loop().create_future()
        )
        self.heads = 0
