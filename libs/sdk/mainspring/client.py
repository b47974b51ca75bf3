"""The client: starts workflows and asks for them, over REST."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Generic, ParamSpec, Self, TypeVar, cast

import httpx
import msgspec

from mainspring.answers import Answer, Cancelled, Events, State, checked
from mainspring.definitions import Call, Options, Step, Workflow
from mainspring.descriptions import Description, Page, Problem
from mainspring.ends import Ends
from mainspring.errors import ApiError, WorkflowFailed
from mainspring.options import texts
from mainspring.reading import frames_of, lines_of
from mainspring.sending import PASSING, TRIES, WAIT_S, Sender, http_of
from mainspring.tasks import Submitting, TaskHandle, Tasks
from mainspring.values import encode
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import Prefix, RandomIds, to_wire
from mainspring_schema.workflows import Status

P = ParamSpec("P")
T = TypeVar("T")
URL_DEFAULT: Final = "http://127.0.0.1:9000"
_ENDS: Final = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})
_HISTORY_PAGE: Final = 1000
_IDS: Final = RandomIds(SystemClock())
_PLAIN: Final = Options()


def _own_key() -> str:
    """A workflow's where nobody gave one: a repeat of its start would make another without."""
    return f"own:{_IDS.uuid7().hex}"


class Handle(Generic[T]):
    """A workflow that was started, or is known by its id."""

    def __init__(
        self, client: "Client", id_: str, workflow: "Workflow[..., T] | None" = None
    ) -> None:
        self._client = client
        self.id = id_
        self._workflow = workflow

    async def describe(self) -> Description:
        """How it is now."""
        return await self._client.get(self.id)

    async def result(self, *, timeout_s: float | None = None) -> T:
        """Waits for its end.

        Raises WorkflowFailed where it failed or was cancelled, TimeoutError after `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            seen = await self._client.ends.end_of(self.id, self._client.poll)
        return self.outcome_of(seen)

    def outcome_of(self, seen: Description) -> T:
        """What it came to. Raises WorkflowFailed where it failed or was cancelled."""
        if seen.status == "completed":
            raw = bytes(seen.result)
            if self._workflow is not None:
                return self._workflow.shape.result(raw)
            return cast("T", msgspec.json.decode(raw))
        error = seen.error or Problem(code=seen.status)
        raise WorkflowFailed(self.id, error.code, error.message)

    def events(self) -> AsyncIterator[dict[str, object]]:
        """Its history as it happens, from the start to its end."""
        return self._client.follow(self.id)

    async def state(self) -> object:
        """What the workflow reported last; None before its first report."""
        return await self._client.state(self.id)

    async def query(self, name: str, /, *args: object, **kwargs: object) -> object:
        """What the workflow's `on_query` handler answers. Moves nothing.

        Raises ApiError: `no_worker` where none that knows the code is there, `query_failed`.
        """
        return await self._client.query(self.id, name, args, kwargs)

    async def signal(self, name: str, payload: object = None, *, id: str | None = None) -> None:  # noqa: A002 - it is the word for it
        """Brings it a signal. `id` (signal_ and 32 hex digits) tells a repeat."""
        await self._client.signal(self.id, name, payload, id=id)

    async def cancel(self, reason: str | None = None, *, force: bool = False) -> bool:
        """False where it had ended. `force`: code that compensates is left where it stands, too."""
        return await self._client.cancel(self.id, reason, force=force)


class Client:
    """`url` is the API's (default: MAINSPRING_URL, then http://127.0.0.1:9000)."""

    def __init__(
        self,
        url: str | None = None,
        *,
        organization: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base = url or os.environ.get("MAINSPRING_URL") or URL_DEFAULT  # noqa: TID251 - a client is wired where it is made
        headers = {} if organization is None else {"x-org-id": organization}
        durable = f"{base.rstrip('/')}/api/v1/durable"
        self._http = http_of(f"{durable}/workflows", headers, transport)
        self._send = Sender(self._http)
        self.ends = Ends(self._send, f"{durable}/ended")
        self._tasks = Tasks(self._send, self.ends, f"{durable}/tasks")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Safe twice."""
        self.ends.close()
        await self._http.aclose()

    async def start(
        self, workflow: "Workflow[P, T]", *args: P.args, **kwargs: P.kwargs
    ) -> Handle[T]:
        """Starts it under a key of its own; `starting` takes options."""
        return await self.starting(workflow).start(*args, **kwargs)

    async def run(self, workflow: "Workflow[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
        """Starts it and waits for its result. Raises WorkflowFailed."""
        return await self.starting(workflow).run(*args, **kwargs)

    async def submit(self, step: "Step[P, T]", *args: P.args, **kwargs: P.kwargs) -> TaskHandle[T]:
        """Has one step done, as a task for any worker of its queue that offers it.

        Returns once it is committed. What is submitted side by side travels together.
        """
        (handle,) = await self.submit_many([step.bind(*args, **kwargs)])
        return handle

    def submitting(
        self,
        step: "Step[P, T]",
        *,
        keys: Sequence[str] = (),
        circuit: str | None = None,
        priority: int = 0,
        build: str | None = None,
        start_within_s: float | None = None,
    ) -> "Submitting[P, T]":
        """With options: `keys` are added to the step's own, the others take the place of its own.

        A higher `priority` (0 to 9) goes first; with a `build` only workers of that build take it.
        """
        options = Options(
            keys=texts("keys", keys),
            circuit=circuit,
            priority=priority,
            build=build,
            start_within_s=start_within_s,
        )
        return Submitting(self._tasks, step, options)

    async def submit_many(self, calls: "Sequence[Call[T]]") -> list[TaskHandle[T]]:
        """As `submit` for many, made by `step.bind`: in their order, each committed by itself.

        Raises ApiError for the first that was refused; the others were submitted.
        """
        return await self._tasks.submit(calls)

    def starting(
        self,
        workflow: "Workflow[P, T]",
        *,
        key: str | None = None,
        queue: str = "default",
        build: str | None = None,
        keys: Sequence[str] = (),
        circuit: str | None = None,
    ) -> "Starting[P, T]":
        """With options: the same `key` and arguments find the workflow that they started before.

        Other arguments raise ApiError `workflow_key_mismatch`. With a `build` only workers of that
        build work on it. `keys` and `circuit` are as of a step, and hold while its code runs.
        """
        under = Options(keys=texts("keys", keys), circuit=circuit, build=build)
        return Starting(self, workflow, key=key, queue=queue, options=under)

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
            "key": _own_key() if key is None else key,
        }
        given = (("build", options.build), ("keys", options.keys), ("circuit", options.circuit))
        body.update((name, value) for name, value in given if value)
        if declaration is not None:
            body["declaration"] = msgspec.Raw(declaration)
        query = {"wait_s": str(wait_s)} if wait_s else None
        raw = await self._send("POST", "", query=query, body=body, waits=wait_s > 0)
        return msgspec.json.decode(raw, type=Description)

    async def fork(
        self,
        id_: str,
        workflow: "Workflow[..., T] | None" = None,
        *,
        step: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        build: str | None = None,
    ) -> Handle[T]:
        """Starts a workflow with what `id_` recorded before the place `step`; that one stays.

        From there on the present code does all anew; without `step` all that is recorded is kept.
        A declared one runs on what `workflow` declares, or else as before. With a `build` only
        workers of that build work on it; a pin of `id_` is not taken over. Raises ApiError:
        `validation_failed` (nothing is recorded at the place), `conflict` (what is kept does not
        fit), `workflow_key_mismatch`, `not_found`.
        """
        onto = None if workflow is None else workflow.declaration
        given = {"step": step, "queue": queue, "build": build, "declaration": onto}
        body = {name: value for name, value in given.items() if value is not None}
        body["key"] = _own_key() if key is None else key
        raw = await self._send("POST", f"/{id_}/fork", body=body)
        return Handle(self, msgspec.json.decode(raw, type=Description).id, workflow)

    def handle(self, id_: str, workflow: "Workflow[..., T] | None" = None) -> Handle[T]:
        """Of a workflow that is known by its id."""
        return Handle(self, id_, workflow)

    async def get(self, id_: str) -> Description:
        """Raises ApiError `not_found`."""
        return msgspec.json.decode(await self._send("GET", f"/{id_}"), type=Description)

    async def search(
        self,
        *,
        type: str | None = None,  # noqa: A002 - it is the word for it
        status: Status | None = None,
        before: str | None = None,
        limit: int = 20,
    ) -> Page:
        """Newest first; `before` is the last id of the page before."""
        wanted = {"workflow_type": type, "status": status, "before": before, "limit": limit}
        query = {name: str(value) for name, value in wanted.items() if value is not None}
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
        # Under one id it is taken once, however often it is sent.
        told = to_wire(Prefix.SIGNAL, _IDS.uuid7()) if id is None else id
        body = {"id": told, "name": name, "payload": msgspec.Raw(encode(payload))}
        await self._send("POST", f"/{id_}/signal", body=body)

    async def cancel(self, id_: str, reason: str | None = None, *, force: bool = False) -> bool:
        """As `Handle.cancel`."""
        body = {"reason": reason} | ({"force": True} if force else {})
        raw = await self._send("POST", f"/{id_}/cancel", body=body)
        return msgspec.json.decode(raw, type=Cancelled).status == "cancelled"


class Starting(Generic[P, T]):
    """A start with its options said; `start` and `run` take the workflow's own arguments."""

    def __init__(
        self,
        client: Client,
        workflow: "Workflow[P, T]",
        *,
        key: str | None,
        queue: str,
        options: Options,
    ) -> None:
        self._client = client
        self._workflow = workflow
        self._key = key
        self._queue = queue
        self._options = options

    async def start(self, *args: P.args, **kwargs: P.kwargs) -> Handle[T]:
        """Raises TypeError for arguments that do not fit, Unserializable, ApiError."""
        input_ = encode(self._workflow.shape.sent(args, kwargs))
        started = await self._begin(input_, key=self._key, wait_s=0.0)
        return Handle(self._client, started.id, self._workflow)

    async def run(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Starts it and waits for its result: one request, where that ends it in time.

        Raises WorkflowFailed, and what `start` raises.
        """
        input_ = encode(self._workflow.shape.sent(args, kwargs))
        async with self._client.ends.turns.turn() as mine:
            seen = await self._begin(input_, key=self._key, wait_s=WAIT_S if mine else 0.0)
        handle = Handle(self._client, seen.id, self._workflow)
        return handle.outcome_of(seen) if seen.ended else await handle.result()

    async def _begin(self, input_: bytes, *, key: str | None, wait_s: float) -> Description:
        return await self._client.start_by_name(
            self._workflow.name,
            input_,
            key=key,
            queue=self._queue,
            options=self._options,
            declaration=self._workflow.declaration,
            wait_s=wait_s,
        )
