"""SSE clients that hop between replicas, check each frame as it comes and log what they got."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

import httpx
import msgspec

from mainspring_kernel.ids import Position, Prefix, from_wire, parse_position_id
from tests.chaos.found import Findings

SILENCE_S: Final = 20.0
"""Longer than the stream's own heartbeat."""
RETRY_S: Final = 0.2
HOP_S: Final = (0.5, 8.0)
"""How long a client that hops stays."""
STREAM_WORDS: Final = frozenset({"connected", "disconnecting"})
AWAY: Final = frozenset({429, 503, 504})
"""What an api may answer while something behind it is away."""
Json = dict[str, object]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    data: Json

    @property
    def position(self) -> Position:
        return parse_position_id(from_wire(Prefix.EVENT, self.id)).position


class Logged(msgspec.Struct, frozen=True, array_like=True):
    """One frame of a client's log."""

    seq: int
    n: int
    type: str
    data: msgspec.Raw


class Listener:
    """Follows one session from its first event on, over any number of connections."""

    def __init__(
        self, session: str, apis: Sequence[str], log: Path, findings: Findings, *, hops: bool
    ) -> None:
        self.session = session
        self.log = log
        self.last = Position(0, 0)
        self.connections = 0
        self._apis, self._findings, self._hops = apis, findings, hops
        self._cursor: str | None = None
        self._file: BinaryIO
        self._texts: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.attach()

    def attach(self) -> None:
        """Goes on where it was, if it is away."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name=f"listener {self.session}")

    async def until(self, holds: Callable[[], bool]) -> None:
        """Asked again with every event that comes."""
        async with self._news:
            await self._news.wait_for(holds)

    def seq_of(self, what: str) -> int:
        """The newest event of a type, or the acceptance of a message; 0 before it came."""
        return self._seen.get(what, 0)

    async def detach(self) -> None:
        """Goes away; its log stays."""
        if self._task is None:
            return
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 -- whatever ended a client is a finding
            self._findings.add("sse", f"{self.session}: a client ended by {error!r}")
        self._task = None

    async def _follow(self) -> None:
        with self.log.open("ab") as self._file:
            await self._stay()

    async def _stay(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=SILENCE_S) as http:
            while True:
                stay_s = random.uniform(*HOP_S) if self._hops else 3600.0
                with suppress(httpx.TransportError, TimeoutError):
                    async with asyncio.timeout(stay_s):
                        await self._connect(http, random.choice(self._apis))
                await asyncio.sleep(RETRY_S)

    async def _connect(self, http: httpx.AsyncClient, api: str) -> None:
        self.connections += 1
        cursor = {"after_sequence": "0"} if self._cursor is None else {"since_id": self._cursor}
        path = f"{api}/sessions/{self.session}/sse"
        async with http.stream("GET", path, params=cursor) as answer:
            if not answer.is_success:
                if answer.status_code not in AWAY:
                    text = (await answer.aread()).decode(errors="replace")[:200]
                    self._findings.add("answer", f"sse answered {answer.status_code}: {text}")
                return
            async for id_, type_, data in frames(answer.aiter_lines()):
                await self._take(id_, type_, data)

    async def _take(self, id_: str, type_: str, data: str) -> None:
        frame = msgspec.json.decode(data, type=Frame)
        if (frame.id, frame.type) != (id_, type_):
            self._findings.add("sse", f"{self.session}: {id_} {type_} holds {frame.id}")
        position = frame.position
        wanted = [Position(self.last.seq, self.last.n + 1), Position(self.last.seq + 1, 0)]
        if position != wanted[not type_.endswith(".delta")]:
            self._findings.add("sse", f"{self.session}: {type_} {position} after {self.last}")
        self._accumulate(frame)
        self._cursor, self.last = id_, position
        body = msgspec.Raw(msgspec.json.encode(frame.data))
        self._file.write(msgspec.json.encode(Logged(*position, type_, body)) + b"\n")
        if position.n == 0:
            self._note(frame)
            async with self._news:
                self._news.notify_all()

    def _note(self, frame: Frame) -> None:
        seq = frame.position.seq
        self._seen[frame.type] = seq
        if frame.type == "input.message":
            self._seen[str(cast("Json", frame.data["message"])["id"])] = seq

    def _accumulate(self, frame: Frame) -> None:
        """What a client puts together itself is what the stream says it is."""
        if frame.type == "output.message.delta":
            message = str(frame.data["message_id"])
            begun = "" if frame.data.get("reset") else self._texts.get(message, "")
            self._texts[message] = begun + str(frame.data["delta"])
            if frame.data["accumulated"] != self._texts[message]:
                self._findings.add("sse", f"{self.session}: a text does not add up: {frame.data}")
        elif frame.type == "output.message.completed":
            message = cast("Json", frame.data["message"])
            streamed = self._texts.pop(str(message["id"]), None)
            if frame.data.get("error_code"):
                return  # what is said of the error stands in the place of the answer
            # Of a text whose last fragments found no event store the end is in the result alone.
            if streamed is not None and not _text(message).startswith(streamed):
                self._findings.add("sse", f"{self.session}: streamed {streamed!r}, then {message}")
        elif frame.type.startswith("turn."):
            self._texts.clear()


def _text(message: Json) -> str:
    parts = cast("list[Json]", message["content"])
    return "".join(str(part.get("text", "")) for part in parts if part["type"] == "text")


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str, str]]:
    """Id, type and data of each event."""
    fields: dict[str, str] = {}
    async for line in lines:
        if not line:
            if "data" in fields and fields.get("event") not in STREAM_WORDS:
                yield fields["id"], fields["event"], fields["data"]
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
