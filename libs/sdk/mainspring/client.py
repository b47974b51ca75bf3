"""The client: starts workflows and asks for them, over REST."""

import os
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar, overload

import httpx
import msgspec

from mainspring.definitions import Call, Options, Step, Workflow
from mainspring.descriptions import Description
from mainspring.handles import Handle, Starting
from mainspring.kinds import check_step, check_workflow
from mainspring.options import bound_s, texts
from mainspring.requests import Requests, own_key
from mainspring.sending import http_of
from mainspring.tasks import Submitting, TaskHandle, Tasks
from mainspring_kernel.clock import Clock, SystemClock

P = ParamSpec("P")
T = TypeVar("T")
URL_DEFAULT: Final = "http://127.0.0.1:9000"


class Client(Requests):
    """`url` is the API's (default: MAINSPRING_URL, then http://127.0.0.1:9000).

    `clock` dates the ids of tasks, which an API that lives in another time refuses.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        organization: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        base = url or os.environ.get("MAINSPRING_URL") or URL_DEFAULT  # noqa: TID251 - a client is wired where it is made
        headers = {} if organization is None else {"x-org-id": organization}
        durable = f"{base.rstrip('/')}/api/v1/durable"
        super().__init__(http_of(f"{durable}/workflows", headers, transport), f"{durable}/ended")
        self._tasks = Tasks(self._send, self.ends, f"{durable}/tasks", clock or SystemClock())

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
        check_step(step)
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
        check_step(step)
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

    def starting(  # noqa: PLR0913 - one named option each
        self,
        workflow: "Workflow[P, T]",
        *,
        key: str | None = None,
        queue: str = "default",
        build: str | None = None,
        keys: Sequence[str] = (),
        circuit: str | None = None,
        start_within_s: float | timedelta | None = None,
        close_within_s: float | timedelta | None = None,
    ) -> "Starting[P, T]":
        """With options: the same `key` and arguments find the workflow that they started before.

        Other arguments raise ApiError `workflow_key_mismatch`. With a `build` only workers of that
        build work on it. `keys` and `circuit` are as of a step, and hold while its code runs. It
        fails with `timeout.schedule_to_start` where no worker took it within `start_within_s`, and
        is stopped as by a cancel, with `timeout.schedule_to_close`, after `close_within_s`.
        """
        check_workflow(workflow)
        options = Options(
            keys=texts("keys", keys),
            circuit=circuit,
            build=build,
            start_within_s=bound_s("start_within_s", start_within_s),
            close_within_s=bound_s("close_within_s", close_within_s),
        )
        return Starting(self, workflow, key=key, queue=queue, options=options)

    @overload
    async def fork(
        self,
        id_: str,
        workflow: None = None,
        *,
        step: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        build: str | None = None,
    ) -> Handle[object]: ...
    @overload
    async def fork(
        self,
        id_: str,
        workflow: "Workflow[..., T]",
        *,
        step: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        build: str | None = None,
    ) -> Handle[T]: ...
    async def fork(
        self,
        id_: str,
        workflow: "Workflow[..., object] | None" = None,
        *,
        step: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        build: str | None = None,
    ) -> "Handle[object] | Handle[T]":
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
        body["key"] = own_key() if key is None else key
        raw = await self._send("POST", f"/{id_}/fork", body=body)
        return Handle(self, msgspec.json.decode(raw, type=Description).id, workflow)

    async def find(self, workflow: "Workflow[..., T]", key: str) -> Handle[T] | None:
        """The one that this key started; None where it started none, or one of another type."""
        found = (await self.search(type=workflow.name, key=key, limit=1)).data
        return Handle(self, found[0].id, workflow) if found else None

    @overload
    def handle(self, id_: str) -> Handle[object]: ...
    @overload
    def handle(self, id_: str, workflow: "Workflow[..., T]") -> Handle[T]: ...
    def handle(
        self, id_: str, workflow: "Workflow[..., object] | None" = None
    ) -> "Handle[object] | Handle[T]":
        """Of a workflow that is known by its id. Without its code a result is plain JSON."""
        return Handle(self, id_, workflow)
