"""Plain tasks as a client sees them: submitted in batches, and their results."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, ParamSpec, TypeVar, cast

import msgspec
from msgspec import Struct, field

from mainspring.definitions import Call, Options, Step
from mainspring.ends import Ends
from mainspring.errors import ApiError, TaskFailed
from mainspring.sending import Sender
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Prefix, RandomIds
from mainspring_kernel.plain_limits import PLAIN_TASKS_PER_CALL_MAX
from mainspring_schema.plain import PlainStatus

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_CALL_BYTES_MAX: Final = 768 * 1024
"""Inputs of one call: with their envelopes below the bound of a body."""
_REFUSED_STATUS: Final = 422
_FULL: Final = "too_many_requests"
_TRIES: Final = 20
"""Of a task that a full queue refused."""
_PAUSE_MS: Final = 200
_PAUSE_MS_MAX: Final = 2000


def _null() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class TaskProblem(Struct, frozen=True, kw_only=True):
    """Why a task failed, or was cancelled."""

    code: str
    message: str = ""
    type: str = ""


class TaskDescription(Struct, frozen=True, kw_only=True):
    """A task as it is. `result` is JSON, there once it completed."""

    id: str
    type: str
    status: PlainStatus
    failures: int = 0
    result: msgspec.Raw = field(default_factory=_null)
    error: TaskProblem | None = None

    @property
    def ended(self) -> bool:
        """Whether it has its outcome."""
        return self.status in ("completed", "failed", "cancelled")


class TaskHandle(Generic[T_co]):
    """A task that was submitted."""

    def __init__(self, tasks: "Tasks", id_: str, step: "Step[..., T_co] | None" = None) -> None:
        self.id = id_
        self._tasks = tasks
        self._step = step

    async def describe(self) -> TaskDescription:
        """How it is now."""
        return await self._tasks.poll(self.id, wait_s=0.0)

    async def result(self, *, timeout_s: float | None = None) -> T_co:
        """Waits for its end. Raises TaskFailed, also where it was cancelled; TimeoutError."""
        async with asyncio.timeout(timeout_s):
            seen = await self._tasks.end_of(self.id)
        if seen.status != "completed":
            error = seen.error or TaskProblem(code=seen.status)
            raise TaskFailed(self.id, error.code, error.message)
        raw = bytes(seen.result)
        if self._step is not None:
            return self._step.shape.result(raw)
        return cast("T_co", msgspec.json.decode(raw))

    async def cancel(self, reason: str = "") -> TaskDescription:
        """Ends it at once, whoever is at work on it. One that has ended stays as it is."""
        return await self._tasks.cancel(self.id, reason)

    async def requeue(self) -> "TaskHandle[T_co]":
        """A new task with the same input, where this one failed or was cancelled."""
        return TaskHandle(self._tasks, await self._tasks.requeue(self.id), self._step)


class Submitting(Generic[P, T]):
    """A submit with its options said; its methods take the step's own arguments."""

    def __init__(self, tasks: "Tasks", step: "Step[P, T]", options: Options) -> None:
        self._tasks = tasks
        self._step = step
        self._options = options

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> "Call[T]":
        """A call to be submitted with others, by `submit_many`."""
        return self._step.bind(*args, **kwargs).with_options(self._options)

    async def submit(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[T]:
        """Returns once it is committed."""
        (handle,) = await self._tasks.submit([self.bind(*args, **kwargs)])
        return handle


class _Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of a call's tasks. The id is made here, so that asking again submits nothing twice."""

    id: str
    type: str
    input: msgspec.Raw
    queue: str = ""
    keys: tuple[str, ...] = ()
    circuit: str | None = None
    priority: int = 0
    build: str | None = None
    start_within_seconds: float | None = None


class _Refusal(Struct, frozen=True, kw_only=True):
    code: str
    message: str = ""
    retry_after_ms: int | None = None


class _Receipt(Struct, frozen=True, kw_only=True):
    id: str
    duplicate: bool = False
    error: _Refusal | None = None


class _Receipts(Struct, frozen=True, kw_only=True):
    data: tuple[_Receipt, ...]


class _Party:
    """The calls of one submit: whoever asked goes on once each of them has its answer."""

    __slots__ = ("_left", "over")

    def __init__(self, count: int) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = count

    def answered(self) -> None:
        self._left -= 1
        if not self._left and not self.over.done():  # whoever asked may have gone
            self.over.set_result(None)


class _Waiting(Struct, eq=False):
    item: _Item
    party: _Party
    input_bytes: int
    error: Exception | None = None
    tries: int = 0

    def answered(self, error: Exception | None) -> None:
        self.error = error
        self.party.answered()


class Tasks:
    """One call is in the air; what is submitted meanwhile rides the next."""

    def __init__(self, send: Sender, ends: Ends, url: str, clock: Clock) -> None:
        self._send = send
        self._ends = ends
        self._url = url
        self._ids = RandomIds(clock)
        self._waiting: deque[_Waiting] = deque()
        self._flying: asyncio.Task[None] | None = None

    async def submit(self, calls: "Sequence[Call[T]]") -> list[TaskHandle[T]]:
        """In their order. Raises ApiError for the first that was refused."""
        if not calls:
            return []
        party = _Party(len(calls))
        boarded = [_Waiting(self._item(call), party, len(call.input)) for call in calls]
        self._waiting += boarded
        if self._flying is None:
            self._flying = asyncio.create_task(self._fly())
        await party.over
        for one in boarded:
            if one.error is not None:
                raise one.error
        return [
            TaskHandle(self, one.item.id, call.step)
            for one, call in zip(boarded, calls, strict=True)
        ]

    def _item(self, call: "Call[T]") -> _Item:
        options = call.options
        return _Item(
            id=self._ids.uuid7_wire(Prefix.TASK),
            type=call.step.name,
            input=msgspec.Raw(call.input),
            queue=call.step.queue or "default",
            keys=options.keys,
            circuit=options.circuit,
            priority=options.priority,
            build=options.build,
            start_within_seconds=options.start_within_s,
        )

    async def _fly(self) -> None:
        try:
            while self._waiting:
                pause_s = await self._send_some(self._board())
                if pause_s:
                    await asyncio.sleep(pause_s)
        finally:
            self._flying = None

    def _board(self) -> list[_Waiting]:
        aboard = [self._waiting.popleft()]
        left = _CALL_BYTES_MAX - aboard[0].input_bytes
        while self._waiting and len(aboard) < PLAIN_TASKS_PER_CALL_MAX:
            left -= self._waiting[0].input_bytes
            if left < 0:
                break
            aboard.append(self._waiting.popleft())
        return aboard

    async def _send_some(self, aboard: list[_Waiting]) -> float:
        """How long to wait before the next call: a full queue is given time, not asked again."""
        try:
            body = {"tasks": [one.item for one in aboard]}
            raw = await self._send("POST", f"{self._url}/batch", body=body)
            receipts = msgspec.json.decode(raw, type=_Receipts).data
            answers = list(zip(aboard, receipts, strict=True))
        except Exception as error:  # noqa: BLE001 - it belongs to all who ride, and is raised there
            for one in aboard:
                one.answered(error)
            return 0.0
        waits_ms = [0]
        full: list[_Waiting] = []
        for one, receipt in answers:
            refusal = receipt.error
            if refusal is None:
                one.answered(None)
            elif refusal.code == _FULL and one.tries < _TRIES:
                one.tries += 1
                full.append(one)
                waits_ms.append(refusal.retry_after_ms or _PAUSE_MS)
            else:
                one.answered(ApiError(_REFUSED_STATUS, refusal.code, refusal.message))
        self._waiting.extendleft(reversed(full))
        return min(max(waits_ms), _PAUSE_MS_MAX) / 1000

    async def cancel(self, id_: str, reason: str) -> TaskDescription:
        """Ends it, and tells how it is."""
        raw = await self._send("POST", f"{self._url}/{id_}/cancel", body={"reason": reason})
        return msgspec.json.decode(raw, type=TaskDescription)

    async def requeue(self, id_: str) -> str:
        """The id of the task that does it again."""
        new_id = self._ids.uuid7_wire(Prefix.TASK)
        await self._send("POST", f"{self._url}/{id_}/requeue", body={"id": new_id})
        return new_id

    async def end_of(self, id_: str) -> TaskDescription:
        """How it is once it has ended."""
        return await self._ends.end_of(id_, self.poll)

    async def poll(self, id_: str, *, wait_s: float) -> TaskDescription:
        """How it is once it has ended, or after `wait_s`."""
        query = {"wait_s": str(wait_s)}
        raw = await self._send("GET", f"{self._url}/{id_}/result", query=query, waits=wait_s > 0)
        return msgspec.json.decode(raw, type=TaskDescription)
