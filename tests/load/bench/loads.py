"""The loads that a client process brings: closed loops, a fixed pace, a growing session."""

import asyncio
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tests.load.bench import arrivals, submits
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Arrive, Done, Grow, Introduce, Open, Pace, Turn, Turns
from tests.load.bench.sessions import TEXT, Lateness, Session, message, open_sessions
from tests.load.bench.wire import Address, Connection

Tell = Callable[[int], None]
YOUNG_MESSAGES = 4
PACE_CONNECTIONS = 64
"""More turns at once than this wait for a connection, which their latency then counts."""
STRIDE = 7919


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

    async def _turn(
        self, session: Session, connection: Connection, from_s: float | None = None
    ) -> Turn:
        self._asked += 1
        turn = await session.turn(connection, from_s)
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

    async def introduce(self, order: Introduce) -> Done:
        connection = Connection(self._address)
        session = next(one for one in self._sessions if one.org_id == order.org_id)
        await connection.call(
            "POST", f"/sessions/{session.id}/messages", message(TEXT), session.org_id
        )
        connection.close()
        return Done(asked=1)

    async def arrive(self, order: Arrive) -> Done:
        return await submits.arrive(order, self._sessions, self._tell)

    async def pace(self, order: Pace) -> Done:
        self._begin()
        self._lateness.begin()
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(PACE_CONNECTIONS):
            free.put_nowait(Connection(self._address))
        # One turn at a time each; a stride apart, for neighbours were opened together.
        resting: asyncio.Queue[Session] = asyncio.Queue()
        for number in range(len(self._sessions)):
            resting.put_nowait(self._sessions[number * STRIDE % len(self._sessions)])

        async def one(session: Session, connection: Connection, from_s: float) -> None:
            await self._turn(session, connection, from_s)
            free.put_nowait(connection)
            resting.put_nowait(session)

        lag = Histogram()
        schedule = arrivals.constant(order.per_s, order.seconds)
        async with asyncio.TaskGroup() as group:
            async for from_s in arrivals.due(schedule, time.monotonic(), lag):
                group.create_task(one(await resting.get(), await free.get(), from_s))
        while not free.empty():
            free.get_nowait().close()
        done = self._done()
        return replace(done, late_ms=self._lateness.ms, lag=lag.encode())

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
