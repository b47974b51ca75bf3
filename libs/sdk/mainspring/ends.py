"""Waits for the ends of tasks and workflows, however many one client waits for.

A few are asked for one by one, by long polls whose answers bring the results. What goes beyond is
asked for together, so that neither connections nor other requests of the client wait for it.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from mainspring.errors import ApiError
from mainspring.sending import WAIT_S, Sender
from mainspring.turns import Turns

IDS_PER_CALL_MAX: Final = 1000
"""What the API takes at once."""
GATHER_S: Final = 0.02
GATHER_S_PER_ID: Final = 0.00005
"""How long what is to be asked for waits for more: a call costs both sides by how many ids it has,
and of many that end one by one each end brings another one."""
LOOK_S: Final = 1.0
"""How often each looks for itself where the API is of before this could be asked."""
_NO_SUCH_ROUTE: Final = 404


class Seen(Protocol):
    """A task or a workflow as it is."""

    @property
    def ended(self) -> bool: ...


S = TypeVar("S", bound=Seen)
S_co = TypeVar("S_co", bound=Seen, covariant=True)


class Poll(Protocol[S_co]):
    """How one is once it has ended, or after `wait_s`."""

    def __call__(self, id_: str, /, *, wait_s: float) -> Awaitable[S_co]: ...


class _Ended(Struct, frozen=True):
    data: tuple[str, ...]


class Ends:
    """Of one client."""

    def __init__(self, send: Sender, url: str) -> None:
        self._send = send
        self._url = url
        self.turns = Turns()
        self._awaited: dict[str, set[asyncio.Future[None]]] = {}
        self._boarding: dict[str, None] = {}
        self._leaves: asyncio.TimerHandle | None = None
        self._young: asyncio.Task[None] | None = None
        """The call with room for more: it is asked anew with those that come."""
        self._aboard: tuple[str, ...] = ()
        """What that call asks for."""
        self._calls: set[asyncio.Task[None]] = set()

    async def end_of(self, id_: str, poll: Poll[S]) -> S:
        """How it is at its end. Raises what `poll` raises."""
        while True:
            async with self.turns.turn() as mine:
                if not mine:
                    await self.told(id_)
                seen = await poll(id_, wait_s=WAIT_S if mine else 0.0)
            if seen.ended:
                return seen

    async def told(self, id_: str) -> None:
        """Returns once it has ended, or is not known."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._awaited.setdefault(id_, set())
        waiting.add(told)
        if len(waiting) == 1:
            self._board((id_,))
        try:
            await told
        finally:
            waiting.discard(told)
            if not waiting and self._awaited.get(id_) is waiting:
                del self._awaited[id_]

    def _board(self, ids: tuple[str, ...]) -> None:
        self._boarding.update(dict.fromkeys(ids))
        if self._leaves is None and self._boarding:
            gather_s = GATHER_S + GATHER_S_PER_ID * len(self._awaited)
            self._leaves = asyncio.get_running_loop().call_later(gather_s, self._leave)

    def _leave(self) -> None:
        self._leaves = None
        if self._young is not None:
            self._young.cancel()
        ids = [id_ for id_ in (*self._aboard, *self._boarding) if id_ in self._awaited]
        self._boarding.clear()
        self._young, self._aboard = None, ()
        for at in range(0, len(ids), IDS_PER_CALL_MAX):
            aboard = tuple(ids[at : at + IDS_PER_CALL_MAX])
            call = asyncio.create_task(self._ask(aboard))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            if len(aboard) < IDS_PER_CALL_MAX:
                self._young, self._aboard = call, aboard

    async def _ask(self, ids: tuple[str, ...]) -> None:
        error: Exception | None = None
        over: tuple[str, ...] = ids
        try:
            query, body = {"wait_s": str(WAIT_S)}, {"ids": ids}
            raw = await self._send("POST", self._url, query=query, body=body, waits=True)
            over = msgspec.json.decode(raw, type=_Ended).data
        except Exception as raised:  # noqa: BLE001 - it is raised where the ends are waited for
            if isinstance(raised, ApiError) and raised.status == _NO_SUCH_ROUTE:
                await asyncio.sleep(LOOK_S)
            else:
                error = raised
        if self._young is asyncio.current_task():
            self._young, self._aboard = None, ()
        for id_ in over:
            self._tell(id_, error)
        self._board(tuple(id_ for id_ in ids if id_ in self._awaited))

    def _tell(self, id_: str, error: Exception | None) -> None:
        for told in self._awaited.pop(id_, ()):
            if told.done():
                continue
            if error is None:
                told.set_result(None)
            else:
                told.set_exception(error)

    def close(self) -> None:
        """Whoever waits is told so. Safe twice."""
        if self._leaves is not None:
            self._leaves.cancel()
        for call in self._calls:
            call.cancel()
        for id_ in tuple(self._awaited):
            self._tell(id_, RuntimeError("the client is closed"))
