"""What a process asks of the one database: refused, answered late, or done without a reply."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from mainspring_engine.domain.changes import Changes
from mainspring_kernel.errors import Unavailable
from tests.sim.network import Network

_PART: Final = 0.2
"""Of the latency between services: the database is near."""
_LOCKED_S: Final = 3.0
"""A statement waits for others that long at most."""


class Statements:
    """A store of the one database. Its async methods may be refused, or lose their reply.

    Each is one instant, as a transaction is: what memory does without waiting. So is what somebody
    does in a `transaction`, which has only its beginning and its COMMIT to lose.
    """

    def __init__(self, network: Network, store: Any, *, parts: tuple[str, ...] = ()) -> None:
        self._network = network
        self._store = store
        for part in parts:
            setattr(self, part, Statements(network, getattr(store, part)))

    def __getattr__(self, name: str) -> Any:
        found = made = getattr(self._store, name)
        if inspect.iscoroutinefunction(found):
            made = self._statement(name, found)
        elif inspect.isasyncgenfunction(inspect.unwrap(found)):
            made = self._transaction(name, found)
        setattr(self, name, made)  # it is not asked for again
        return made

    def _statement(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        weather = self._network.weather
        of_deltas = name == "append_deltas"
        reply_lost = weather.delta_reply_lost if of_deltas else weather.statement_reply_lost

        async def ask(*args: Any, **named: Any) -> Any:
            marks = name == "commit" and any(_marks(change) for change in args[0])
            await self._reach(name, weather.mark_stalls if marks else weather.statement_stalls)
            answer = await method(*args, **named)
            self._answer(name, reply_lost)
            if answer or answer is None:  # half of all are looks that find nothing, and need none
                await self._network.loop.pause(self._network.delay(_PART))
            return answer

        return ask

    def _transaction(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        weather = self._network.weather

        @asynccontextmanager
        async def unit(*args: Any) -> AsyncGenerator[Any]:
            await self._reach(name, weather.statement_stalls)
            async with method(*args) as within:
                yield within
            self._answer(name, weather.statement_reply_lost)

        return unit

    async def _reach(self, name: str, stalls: float) -> None:
        network = self._network
        await network.loop.pause(network.delay(_PART))
        if network.strikes("statement stalled", stalls):
            await network.loop.pause(_LOCKED_S * network.chance.faults.random())
        refused = network.strikes("statement refused", network.weather.statement_refused)
        if refused or not network.database_up:
            detail = f"{name}: Postgres cannot be reached"
            raise Unavailable(detail)

    def _answer(self, name: str, lost: float) -> None:
        if self._network.strikes("reply of a statement lost", lost):
            detail = f"{name}: the connection was lost"
            raise Unavailable(detail)


def _marks(change: object) -> bool:
    return isinstance(change, Changes) and bool(change.marks)
