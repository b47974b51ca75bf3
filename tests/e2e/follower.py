"""A client as a user would write it: it follows a stream over any breaks and keeps what came."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from typing import cast

import httpx
import msgspec
import pytest

from mainspring_kernel.ids import Position, Prefix, from_wire, parse_position_id

PATIENCE_S = 40.0
SILENCE_S = 20.0
RETRY_S = 0.05
OUTCOMES = frozenset({"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"})
STREAM_WORDS = frozenset({"connected", "disconnecting"})
Json = dict[str, object]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One server-sent event as it came."""

    id: str
    type: str
    data: Json
    sequence: int | None = None

    @property
    def position(self) -> Position:
        return parse_position_id(from_wire(Prefix.EVENT, self.id)).position

    def text(self, name: str) -> str:
        return str(self.data.get(name, ""))

    def member(self, name: str) -> Json:
        return cast("Json", self.data[name])


class Follower:
    """Follows one session from its first event on, over any number of connections.

    `apis` are the base URLs it goes through in turn, one per connection.
    """

    def __init__(self, apis: Iterable[str], session_id: str) -> None:
        self.session_id = session_id
        self.frames: list[Frame] = []
        self.cursors: list[dict[str, str]] = []
        """What each connection asked for."""
        self._apis = tuple(apis)
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._follow())

    async def until(self, wanted: Callable[[Frame], bool], *, count: int = 1) -> Frame:
        """The `count`-th fitting frame, as soon as it came."""

        def found() -> list[Frame]:
            return [frame for frame in self.frames if wanted(frame)]

        await self.until_true(lambda: len(found()) >= count)
        return found()[count - 1]

    async def until_true(self, holds: Callable[[], bool]) -> None:
        """Asked again with every frame that comes."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(lambda: holds() or self._task.done())
        except TimeoutError:
            pytest.fail(f"waited in vain after {self.story()}")
        if self._task.done():
            self._task.result()

    async def until_type(self, *types: str, count: int = 1) -> Frame:
        return await self.until(lambda frame: frame.type in types, count=count)

    async def until_outcome(self, *, turns: int = 1) -> Frame:
        """Of the turn of that number, with all that its transaction wrote behind it."""
        outcome = await self.until_type(*OUTCOMES, count=turns)
        await self.until_type("session.idled", count=turns)
        return outcome

    async def until_taken_up(self, message_id: str) -> None:
        """Until a model call saw the message and the session came to rest behind it."""
        await self.until_true(
            lambda: message_id in self.taken_up() and self.frames[-1].type == "session.idled"
        )

    async def reconnect(self) -> None:
        """Drops the connection, as a network does; the next one goes to the next api."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def of(self, *types: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.type in types]

    def inputs(self) -> list[str]:
        """The ids of the messages that were accepted, in their order."""
        messages = [cast("Json", frame.data["message"]) for frame in self.of("input.message")]
        return [str(message["id"]) for message in messages]

    def taken_up(self) -> list[str]:
        """The ids of the messages that model calls were the first to see, each time it is said."""
        named = [frame.data.get("consumed", []) for frame in self.of("reason.started")]
        return [str(one) for each in named for one in cast("list[object]", each)]

    def story(self) -> str:
        """The types that came, deltas counted."""
        words = [frame.type for frame in self.frames]
        return re.sub(r"(\S+\.delta )(?:\1)+", r"\1… ", " ".join(words) + " ")

    async def _follow(self) -> None:
        """Until cancelled: connects, reads, and resumes behind the last frame it has."""
        async with httpx.AsyncClient(trust_env=False, timeout=SILENCE_S) as http:
            while True:
                api = self._apis[len(self.cursors) % len(self._apis)]
                self.cursors.append(self._cursor())
                with suppress(httpx.TransportError):
                    await self._connect(http, api, self.cursors[-1])
                # An api that is away is asked again a little later, as EventSource does.
                await asyncio.sleep(RETRY_S)

    def _cursor(self) -> dict[str, str]:
        if not self.frames:
            return {"after_sequence": "0"}
        return {"since_id": self.frames[-1].id}

    async def _connect(self, http: httpx.AsyncClient, api: str, cursor: dict[str, str]) -> None:
        path = f"{api}/sessions/{self.session_id}/sse"
        async with http.stream("GET", path, params=cursor) as answer:
            if answer.status_code == 503:
                assert answer.headers.get("retry-after"), "a 503 that does not say when"
                return
            assert answer.status_code == 200, (answer.status_code, await answer.aread())
            async for frame in parsed(answer.aiter_lines()):
                async with self._news:
                    self.frames.append(frame)
                    self._news.notify_all()


async def parsed(lines: AsyncIterator[str]) -> AsyncIterator[Frame]:
    fields: dict[str, str] = {}
    async for line in lines:
        if not line:
            if "data" in fields and fields.get("event") not in STREAM_WORDS:
                frame = msgspec.json.decode(fields["data"], type=Frame)
                assert (frame.id, frame.type) == (fields["id"], fields["event"])
                yield frame
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def assert_gapless(frames: list[Frame]) -> None:
    """Each position once, in order, none missing, from the first event on."""
    assert frames[0].position == Position(1, 0)
    for before, after in pairwise(frames):
        next_delta = Position(before.position.seq, before.position.n + 1)
        next_event = Position(before.position.seq + 1, 0)
        wanted = next_delta if after.type.endswith(".delta") else next_event
        assert after.position == wanted, (before, after)
        assert after.sequence == (after.position.seq if after.position.n == 0 else None)


def assert_accumulated(frames: list[Frame]) -> None:
    """`accumulated` is what a client would put together itself, with `reset` beginning anew."""
    texts: dict[str, str] = {}
    for frame in frames:
        if frame.type == "output.message.delta":
            message = frame.text("message_id")
            begun = "" if frame.data.get("reset") else texts.get(message, "")
            texts[message] = begun + frame.text("delta")
            assert frame.data["accumulated"] == texts[message], frame
        elif frame.type == "output.message.completed":
            message = cast("Json", frame.data["message"])
            if str(message["id"]) in texts:
                assert texts[str(message["id"])] == text_of(message)


def text_of(message: Json) -> str:
    parts = cast("list[Json]", message["content"])
    return "".join(str(part.get("text", "")) for part in parts if part["type"] == "text")
