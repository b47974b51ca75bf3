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
        self._waiting: dict[bytes, asyncio.Future[RuntimeAgent | None]] = {}

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
        if waiting is not None and not waiting.done():
            waiting.set_result(agent)

    async def get(self, hash_: bytes) -> RuntimeAgent:
        """Raises ConfigUnusable, or HandedBack where the engine does not answer in time."""
        agent = self._agents.get(hash_)
        if agent is not None:
            return agent
        waiting = self._waiting.get(hash_)
        if waiting is None:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[hash_] = waiting
            self._want(hash_)
        done, _ = await asyncio.wait((waiting,), timeout=CONFIG_TIMEOUT_S)
        if not done:
            self._waiting.pop(hash_, None)
            self._forget(hash_)
            raise HandedBack
        agent = waiting.result()
        if agent is None:
            raise ConfigUnusable
        return agent
