"""The loads that a client process brings: closed loops, a fixed pace, a growing session."""

import asyncio
import time
from collections.abc import Callable, Sequence

from tests.load.bench.orders import Done, Grow, Open, Pace, Turn, Turns
from tests.load.bench.sessions import Lateness, Session, open_sessions
from tests.load.bench.wire import Address, Connection

Tell = Callable[[int], None]
YOUNG_MESSAGES = 4


class Clients:
    """All clients of one process. `tell` is called with the number of turns so far."""

    def __init__(
        self, order: Open, sessions: list[Session], lateness: Lateness, tell: Tell
    ) -> None:
        self._address = Address(host=order.host, port=order.port)
        self._order = order
        self._sessions = sessions
        self._lateness = lateness
        self._tell = tell
        self._turns: list[Turn] = []
        self._asked = 0

    @classmethod
    async def open(cls, order: Open, tell: Tell) -> "Clients":
        lateness = Lateness()
        return cls(order, await open_sessions(order, lateness), lateness, tell)

    async def _turn(self, session: Session, connection: Connection) -> Turn:
        self._asked += 1
        turn = await session.turn(connection)
        self._turns.append(turn)
        self._tell(len(self._turns))
        return turn

    def _done(self) -> Done:
        return Done(asked=self._asked, completed=len(self._turns), turns=self._turns)

    def _begin(self) -> None:
        self._turns = []
        self._asked = 0

    async def turns(self, order: Turns) -> Done:
        self._begin()

        async def client(mine: Sequence[Session]) -> None:
            connection = Connection(self._address)
            index = 0
            while time.monotonic() < order.until_s and self._asked < order.turns_max:
                session = mine[index // order.turns_per_session % len(mine)]
                await self._turn(session, connection)
                index += 1
            connection.close()

        async with asyncio.TaskGroup() as group:
            for slot in range(order.slots):
                group.create_task(client(self._sessions[slot :: order.slots]))
        return self._done()

    async def pace(self, order: Pace) -> Done:
        self._lateness.wanted = True
        free = [Connection(self._address) for _ in range(64)]
        began = time.monotonic()

        async def one(session: Session, connection: Connection) -> None:
            await self._turn(session, connection)
            free.append(connection)

        async with asyncio.TaskGroup() as group:
            number = 0
            while (now := time.monotonic()) < order.until_s:
                due = began + number / order.turns_per_s
                if due > now or not free:
                    await asyncio.sleep(max(0.001, due - now))
                    continue
                # A step that meets every session: neighbours were opened together.
                session = self._sessions[number * 7919 % len(self._sessions)]
                group.create_task(one(session, free.pop()))
                number += 1
        return Done(
            asked=self._asked, completed=len(self._turns), turns=self._turns,
            late_ms=self._lateness.ms,
        )  # fmt: skip

    async def grow(self, order: Grow) -> Done:
        connection = Connection(self._address)
        old, *young = self._sessions
        for _ in range(order.messages - 1):
            await self._turn(old, connection)
        old_ms: list[float] = []
        young_ms: list[float] = []
        # Side by side, so that whatever else goes on in the machine meets both.
        for number in range(order.samples):
            old_ms.append((await self._turn(old, connection)).ms)
            session = young[number // YOUNG_MESSAGES % len(young)]
            young_ms.append((await self._turn(session, connection)).ms)
        return Done(
            asked=self._asked, completed=len(self._turns), turns=self._turns,
            old_ms=old_ms, young_ms=young_ms,
        )  # fmt: skip
