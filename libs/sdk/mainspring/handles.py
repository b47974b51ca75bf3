"""Workflows that were started, or are known by their ids; and starts with options."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, ParamSpec, TypeVar, cast

import msgspec

from mainspring.definitions import Options, Workflow
from mainspring.descriptions import Description, Problem
from mainspring.errors import WorkflowFailed
from mainspring.requests import Requests
from mainspring.sending import WAIT_S
from mainspring.values import encode

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Handle(Generic[T_co]):
    """A workflow that was started, or is known by its id."""

    def __init__(
        self, client: Requests, id_: str, workflow: "Workflow[..., T_co] | None" = None
    ) -> None:
        self._client = client
        self.id = id_
        self._workflow = workflow

    async def describe(self) -> Description:
        """How it is now."""
        return await self._client.get(self.id)

    async def result(self, *, timeout_s: float | None = None) -> T_co:
        """Waits for its end.

        Raises WorkflowFailed where it failed or was cancelled, TimeoutError after `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            seen = await self._client.ends.end_of(self.id, self._client.poll)
        return self.outcome_of(seen)

    def outcome_of(self, seen: Description) -> T_co:
        """What it came to. Raises WorkflowFailed where it failed or was cancelled."""
        if seen.status == "completed":
            raw = bytes(seen.result)
            if self._workflow is not None:
                return self._workflow.shape.result(raw)
            return cast("T_co", msgspec.json.decode(raw))
        error = seen.error or Problem(code=seen.status)
        raise WorkflowFailed(self.id, error.code, error.message, error.type)

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
        """Brings it a signal. `id` (signal_ and 32 hex digits) tells a repeat of that name."""
        await self._client.signal(self.id, name, payload, id=id)

    async def cancel(self, reason: str | None = None, *, force: bool = False) -> bool:
        """False where it had ended. `force`: code that compensates is left where it stands, too."""
        return await self._client.cancel(self.id, reason, force=force)


class Starting(Generic[P, T]):
    """A start with its options said; `start` and `run` take the workflow's own arguments."""

    def __init__(
        self,
        client: Requests,
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
