"""The resources of a session for one tool call."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mainspring_harness.calling import SessionResources
from mainspring_kernel.backoff import RECONNECT, delay_s
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import DeadlineExceeded, Unavailable
from mainspring_schema.asking import Order, Question
from mainspring_schema.frames import Held
from mainspring_schema.holdings import Recall
from mainspring_worker.ports.resources import Resources

A = TypeVar("A")


class Holdings:
    """One per worker."""

    def __init__(self, resources: Resources, *, clock: Clock, draws: Draws) -> None:
        self._resources = resources
        self._clock = clock
        self._draws = draws

    def of(self, held: Held, key: str) -> SessionResources:
        """For the call that has this idempotency key."""
        return CallResources(self._resources, held, key, clock=self._clock, draws=self._draws)


class CallResources:
    """Asks again while nobody answers: the keys make that safe, the call's deadline ends it."""

    def __init__(
        self, resources: Resources, held: Held, key: str, *, clock: Clock, draws: Draws
    ) -> None:
        self._resources = resources
        self._held = held
        self._key = key
        self._clock = clock
        self._draws = draws

    async def ask(self, question: Question[A]) -> A:
        return await self._until_answered(lambda: self._resources.ask(self._held, question))

    async def change(self, order: Order[A], *, part: str = "") -> A:
        key = self._key_of(part)
        return await self._until_answered(
            lambda: self._resources.change(self._held, order, key=key)
        )

    async def recall(self, *, part: str = "") -> bytes | None:
        return (await self.ask(Recall(key=self._key_of(part)))).note

    def _key_of(self, part: str) -> str:
        return f"{self._key}:{part}" if part else self._key

    async def _until_answered(self, call: Callable[[], Awaitable[A]]) -> A:
        failures = 0
        while True:
            try:
                return await call()
            except (Unavailable, DeadlineExceeded):
                failures += 1
                await self._clock.sleep(delay_s(RECONNECT, failures, self._draws.unit()))
