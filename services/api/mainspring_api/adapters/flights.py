"""Natural batching: one call in the air, and whatever waits meanwhile rides the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from mainspring_kernel.errors import MainspringError, TooManyRequests

Item = TypeVar("Item")
Got = TypeVar("Got")
Place = TypeVar("Place", bound=Hashable)


class _Waiting(NamedTuple, Generic[Item, Got]):
    item: Item
    answer: "asyncio.Future[Got]"


class Flights(Generic[Item, Got]):
    """No timer: an idle lane sends what this pass of the loop brought, a busy one what came since.

    Clients that were answered together come back together, so that the first of them must not
    take off alone: its call would keep the others waiting, and be a commit of its own each time.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Got | MainspringError]]],
        *,
        items_max: int,
        waiting_max: int,
        in_air_max: int = 1,
    ) -> None:
        self._send = send
        self._items_max = items_max
        self._waiting_max = waiting_max
        self._in_air_max = in_air_max
        self._waiting: deque[_Waiting[Item, Got]] = deque()
        self._in_air: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether nobody waits or flies."""
        return not self._waiting and not self._in_air

    async def ask(self, item: Item) -> Got:
        """The answer to this item. Raises its error, or TooManyRequests where too many wait."""
        if len(self._waiting) >= self._waiting_max:
            raise TooManyRequests
        answer: asyncio.Future[Got] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, answer))
        self._take_off()
        return await answer

    def _take_off(self) -> None:
        if self._waiting and len(self._in_air) < self._in_air_max:
            task = asyncio.create_task(self._fly())
            self._in_air.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._in_air.discard(task)
        self._take_off()

    async def _fly(self) -> None:
        """Boards as it begins, which is in the next pass. One before it may have taken all."""
        count = min(len(self._waiting), self._items_max)
        aboard = [self._waiting.popleft() for _ in range(count)]
        if not aboard:
            return
        try:
            answers = await self._send([waiting.item for waiting in aboard])
        except Exception as error:  # noqa: BLE001 -- it belongs to all who ride, and is raised there
            for waiting in aboard:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, answer in zip(aboard, answers, strict=True):
            if waiting.answer.done():
                continue  # whoever asked has gone
            if isinstance(answer, MainspringError):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)


class FlightsTo(Generic[Place, Item, Got]):
    """Flights of its own for each place, so that one which is slow keeps nobody else waiting."""

    def __init__(
        self,
        send: Callable[[Place, Sequence[Item]], Awaitable[Sequence[Got | MainspringError]]],
        *,
        items_max: int,
        waiting_max: int,
    ) -> None:
        self._send = send
        self._items_max = items_max
        self._waiting_max = waiting_max
        self._lanes: dict[Place, Flights[Item, Got]] = {}

    async def ask(self, place: Place, item: Item) -> Got:
        """As `Flights.ask` of that place."""
        lane = self._lanes.get(place)
        if lane is None:
            # Places come and go: those that are gone leave nothing behind.
            self._lanes = {place: lane for place, lane in self._lanes.items() if not lane.idle}
            lane = self._lanes[place] = Flights(
                partial(self._send, place),
                items_max=self._items_max,
                waiting_max=self._waiting_max,
            )
        return await lane.ask(item)
