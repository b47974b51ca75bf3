"""Sessions as a client holds them: a stream that is open, and one turn at a time."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from tests.load.bench.orders import Open, Turn
from tests.load.bench.wire import Address, Connection, EventStream, Frame, WireProblem

OUTCOMES: Final = frozenset({"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"})
TURN_SECONDS_MAX: Final = 30.0
TEXT: Final = "Say hello."


class _Identified(Struct, frozen=True):
    id: str


class _Stamped(Struct, frozen=True):
    ts: datetime
    sequence: int | None = None


_STAMPED: Final = msgspec.json.Decoder(_Stamped)


def message(text: str) -> bytes:
    content = [{"type": "text", "text": text}]
    return msgspec.json.encode({"message": {"role": "user", "content": content}})


_HELLO: Final = message(TEXT)


class Lateness:
    """How long after its committed time each event arrived, by this machine's wall clock."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.wanted = False

    def begin(self) -> None:
        """From now on, and nothing from before."""
        self.ms = []
        self.wanted = True

    def note(self, frame: Frame) -> None:
        now_s = time.time()
        stamped = _STAMPED.decode(frame.data)
        if stamped.sequence is not None:  # deltas have a time of their own, and no commit
            self.ms.append((now_s - stamped.ts.timestamp()) * 1000)


class Session:
    def __init__(self, id_: str, org_id: str, lateness: Lateness) -> None:
        self.id = id_
        self.org_id = org_id
        self._lateness = lateness
        self._outcome: asyncio.Future[tuple[str, float]] | None = None

    async def listen(self, address: Address) -> None:
        await EventStream.open(
            address, f"/sessions/{self.id}/sse?after_sequence=0", self._frame, self.org_id
        )

    def _frame(self, frame: Frame) -> None:
        if self._lateness.wanted:
            self._lateness.note(frame)
        if frame.type in OUTCOMES and self._outcome is not None and not self._outcome.done():
            self._outcome.set_result((frame.type, time.monotonic()))

    async def turn(self, connection: Connection, from_s: float | None = None) -> Turn:
        """From the POST, or from when it was due, to its outcome on the stream.

        Raises WireProblem for any but completed.
        """
        self._outcome = asyncio.get_running_loop().create_future()
        began = time.monotonic() if from_s is None else from_s
        await connection.call("POST", f"/sessions/{self.id}/messages", _HELLO, self.org_id)
        async with asyncio.timeout(TURN_SECONDS_MAX):
            outcome, ended = await self._outcome
        if outcome != "turn.completed":
            msg = f"a turn of {self.id} ended with {outcome}"
            raise WireProblem(msg)
        return Turn(ended, (ended - began) * 1000)


async def create_agent(connection: Connection, model_id: str) -> str:
    body: dict[str, object] = {
        "name": "bench",
        "system_prompt": "You are a test.",
        "capabilities": [],
        "default_model_id": model_id,
    }
    answer = await connection.call("POST", "/agents", msgspec.json.encode(body))
    return msgspec.json.decode(answer, type=_Identified).id


async def create_session(
    connection: Connection,
    agent_id: str | None,
    org_id: str = "",
    *,
    capabilities: Sequence[str] = (),
) -> str:
    body: dict[str, object] = {"capabilities": [{"ref": ref} for ref in capabilities]}
    if agent_id is not None:
        body["agent_id"] = agent_id
    answer = await connection.call("POST", "/sessions", msgspec.json.encode(body), org_id)
    return msgspec.json.decode(answer, type=_Identified).id


async def open_sessions(order: Open, lateness: Lateness) -> list[Session]:
    """Eight at a time: the set-up is not what is measured."""
    address = Address(host=order.host, port=order.port)
    numbers = list(range(order.sessions))
    sessions: list[Session] = []

    async def some() -> None:
        connection = Connection(address)
        while numbers:
            org_id = order.org_ids[numbers.pop() % len(order.org_ids)]
            # The agent belongs to the first organization.
            agent_id = order.agent_id if org_id == order.org_ids[0] else None
            id_ = await create_session(connection, agent_id, org_id)
            session = Session(id_, org_id, lateness)
            if order.listen:
                await session.listen(address)
            sessions.append(session)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(some())
    return sessions
