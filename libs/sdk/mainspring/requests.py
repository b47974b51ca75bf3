"""What is asked of workflows over REST, each known by its id."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import httpx
import msgspec

from mainspring.answers import Answer, Cancelled, Events, State, checked
from mainspring.definitions import Options
from mainspring.descriptions import Description, Page
from mainspring.ends import Ends
from mainspring.errors import ApiError
from mainspring.reading import frames_of, lines_of
from mainspring.sending import PASSING, TRIES, Sender
from mainspring.values import encode
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import Prefix, RandomIds, to_wire
from mainspring_schema.workflows import Status

_ENDS: Final = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})
_HISTORY_PAGE: Final = 1000
_IDS: Final = RandomIds(SystemClock())
_PLAIN: Final = Options()


def own_key() -> str:
    """A workflow's where nobody gave one: a repeat of its start would make another without."""
    return f"own:{_IDS.uuid7().hex}"


class Requests:
    """The part of a client that needs no code of the workflows."""

    def __init__(self, http: httpx.AsyncClient, ended_url: str) -> None:
        self._http = http
        self._send = Sender(http)
        self.ends = Ends(self._send, ended_url)

    async def start_by_name(  # noqa: PLR0913 - one named option each
        self,
        type_: str,
        input_: bytes,
        *,
        key: str | None = None,
        queue: str = "default",
        declaration: bytes | None = None,
        options: Options = _PLAIN,
        wait_s: float = 0.0,
    ) -> Description:
        """Starts a workflow whose code is elsewhere. `input_` is a JSON array or object.

        An object has in an array, as "*", what is given without a name. Without a `key` it gets one
        of its own, so that a repeated request finds it again. Returns how it is at its start, or
        with `wait_s` once it has ended, or after that.
        """
        body: dict[str, object] = {
            "type": type_,
            "input": msgspec.Raw(input_),
            "queue": queue,
            "key": own_key() if key is None else key,
        }
        given = (
            ("build", options.build),
            ("keys", options.keys),
            ("circuit", options.circuit),
            ("start_within_seconds", options.start_within_s),
            ("close_within_seconds", options.close_within_s),
        )
        body.update((name, value) for name, value in given if value)
        if declaration is not None:
            body["declaration"] = msgspec.Raw(declaration)
        query = {"wait_s": str(wait_s)} if wait_s else None
        raw = await self._send("POST", "", query=query, body=body, waits=wait_s > 0)
        return msgspec.json.decode(raw, type=Description)

    async def get(self, id_: str) -> Description:
        """Raises ApiError `not_found`."""
        return msgspec.json.decode(await self._send("GET", f"/{id_}"), type=Description)

    async def search(
        self,
        *,
        type: str | None = None,  # noqa: A002 - it is the word for it
        status: Status | None = None,
        key: str | None = None,
        before: str | None = None,
        limit: int = 20,
    ) -> Page:
        """Newest first; `before` is the `next` of the page before, a `key` started one at most."""
        # The type by its older name, which every version of the API knows.
        wanted = {"workflow_type": type, "status": status, "key": key, "before": before}
        query = {name: str(value) for name, value in wanted.items() if value is not None}
        query["limit"] = str(limit)
        return msgspec.json.decode(await self._send("GET", "", query=query), type=Page)

    async def history(self, id_: str) -> list[dict[str, object]]:
        """Its events, oldest first, however many."""
        events: list[dict[str, object]] = []
        while True:
            # They are numbered from 1 without a gap.
            query = {"limit": str(_HISTORY_PAGE), "after_sequence": str(len(events))}
            raw = await self._send("GET", f"/{id_}/events", query=query)
            page = msgspec.json.decode(raw, type=Events).data
            events += page
            if not page:
                return events

    async def follow(self, id_: str) -> AsyncIterator[dict[str, object]]:
        """Its events from the first to that of its end, each once, whatever breaks meanwhile."""
        last, lost = "", 0
        while True:
            try:
                async for event in self._events(id_, last):
                    last, lost = str(event["id"]), 0
                    yield event
                    if event["type"] in _ENDS:
                        return
            except (httpx.TransportError, ApiError) as error:
                passing = not isinstance(error, ApiError) or error.status in PASSING
                if not passing or lost == TRIES:
                    raise
            lost += 1
            await asyncio.sleep(min(5.0, 0.2 * lost))

    async def _events(self, id_: str, after: str) -> AsyncIterator[dict[str, object]]:
        """One stream, as far as it goes."""
        headers = {"last-event-id": after} if after else {}
        async with self._http.stream("GET", f"/{id_}/sse", headers=headers) as answer:
            if not answer.is_success:
                await answer.aread()
                checked(answer)
            async for event in frames_of(lines_of(answer.aiter_bytes())):
                yield event

    async def state(self, id_: str) -> object:
        """What it reported last."""
        return msgspec.json.decode(await self._send("GET", f"/{id_}/state"), type=State).state

    async def query(
        self, id_: str, name: str, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        """What its handler of this name answers to arguments by position, or all by name."""
        if args and kwargs:
            message = "a query takes arguments by position, or all of them by name"
            raise TypeError(message)
        given = encode(kwargs or args).decode()
        # Once: a worker that is away may be so for long, and whoever asks is told at once.
        raw = await self._send("GET", f"/{id_}/queries/{name}", query={"args": given}, tries=1)
        return msgspec.json.decode(raw, type=Answer).result

    async def poll(self, id_: str, *, wait_s: float) -> Description:
        """How it is once it has ended, or after `wait_s`."""
        query = {"wait_s": str(wait_s)}
        raw = await self._send("GET", f"/{id_}/result", query=query, waits=wait_s > 0)
        return msgspec.json.decode(raw, type=Description)

    async def signal(
        self,
        id_: str,
        name: str,
        payload: object = None,
        *,
        id: str | None = None,  # noqa: A002 - the signal's
    ) -> None:
        """Raises ApiError `workflow_ended` where nothing would take it."""
        # Under one id and name it is taken once, however often it is sent.
        told = to_wire(Prefix.SIGNAL, _IDS.uuid7()) if id is None else id
        body = {"id": told, "name": name, "payload": msgspec.Raw(encode(payload))}
        await self._send("POST", f"/{id_}/signal", body=body)

    async def cancel(self, id_: str, reason: str | None = None, *, force: bool = False) -> bool:
        """As `Handle.cancel`."""
        body = {"reason": reason} | ({"force": True} if force else {})
        raw = await self._send("POST", f"/{id_}/cancel", body=body)
        return msgspec.json.decode(raw, type=Cancelled).status == "cancelled"
