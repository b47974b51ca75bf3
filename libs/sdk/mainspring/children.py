"""Workflows that a workflow's code starts: one it waits for, or one that goes on by itself."""

from collections.abc import Coroutine, Sequence
from typing import Generic, NamedTuple, ParamSpec, Protocol, TypeVar

import msgspec

from mainspring.delays import timeout_ms_of
from mainspring.errors import NotInWorkflow, StepFailed, WaitTimedOut
from mainspring.options import texts
from mainspring.recording import Recording, current_recording
from mainspring.values import Shape, encode, hash_of
from mainspring_schema.keys import flaw_in, flaw_of_name, flaw_of_start_bound
from mainspring_schema.workflows import ChildStart, StepKind, StepRecord

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Program(Protocol[P, T_co]):
    """A workflow, or a step as one."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> Shape[T_co]: ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, object, T_co]: ...


async def run_child(workflow: "Program[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Starts another workflow and waits for its result, without holding a worker.

    It is cancelled when this one ends before it. Raises StepFailed where it failed or was cancelled
    (`code` is then `cancelled`). `child` takes options.
    """
    return await child(workflow).run(*args, **kwargs)


async def start_detached(workflow: "Program[P, T]", *args: P.args, **kwargs: P.kwargs) -> str:
    """Starts another workflow once, and returns its id; how it ends does not matter here."""
    return await child(workflow).start_detached(*args, **kwargs)


def milliseconds(seconds: float | None) -> int | None:
    """At least one."""
    return None if seconds is None else max(1, round(seconds * 1000))


def child(
    workflow: "Program[P, T]",
    *,
    queue: str = "default",
    timeout_s: float | None = None,
    keys: Sequence[str] = (),
    circuit: str | None = None,
    start_within_s: float | None = None,
) -> "Child[P, T]":
    """With options: `timeout_s` (default: none) bounds how long its end is waited for.

    `keys` and `circuit` are as of a step, and hold while its code runs. It fails with
    `timeout.schedule_to_start` where no worker took it within `start_within_s`.
    """
    under = Under(texts("keys", keys), circuit or "", milliseconds(start_within_s))
    return Child(workflow, queue=queue, timeout_s=timeout_s, under=under)


class Under(NamedTuple):
    """What may hold the child back, and for how long."""

    keys: tuple[str, ...] = ()
    circuit: str = ""
    start_within_ms: int | None = None

    def checked(self) -> "Under":
        """Raises ValueError where one is no key, or the time no time."""
        flaw = flaw_in(self.keys, self.circuit) or flaw_of_start_bound(self.start_within_ms)
        if flaw is not None:
            raise ValueError(flaw)
        return self


class Child(Generic[P, T_co]):
    """A start with its options said; its methods take the workflow's own arguments."""

    def __init__(
        self, workflow: "Program[P, T_co]", *, queue: str, timeout_s: float | None, under: Under
    ) -> None:
        flaw = flaw_of_name("a workflow", workflow.name) or flaw_of_name("a queue", queue)
        if flaw is not None:
            raise ValueError(flaw)
        self.workflow = workflow
        self.under = under.checked()
        self.queue = queue
        self.delay_ms = timeout_ms_of(timeout_s)

    async def run(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Raises StepFailed, and WaitTimedOut after `timeout_s`: the child is then cancelled."""
        record = await self._wait("child", args, kwargs, delay_ms=self.delay_ms)
        return self.workflow.shape.result(record.result)

    async def start_detached(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The id, when it is committed that it begins. Raises StepFailed where it may not."""
        record = await self._wait("detached", args, kwargs)
        return msgspec.json.decode(record.result, type=str)

    async def _wait(
        self,
        kind: StepKind,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        *,
        delay_ms: int | None = None,
    ) -> StepRecord:
        name, queue, shape = self.workflow.name, self.queue, self.workflow.shape
        record = await _going().wait(
            kind,
            name,
            delay_ms=delay_ms,
            digest=hash_of([shape.bind(args, kwargs), queue, delay_ms]),
            child=ChildStart(
                type=name,
                input=encode(shape.sent(args, kwargs)),
                queue=queue,
                keys=self.under.keys,
                circuit=self.under.circuit,
                start_within_ms=self.under.start_within_ms,
            ),
        )
        if record.flaw is None:
            return record
        # One that itself failed of some timeout has its type; that it came too late has none.
        if record.flaw.code == "timeout" and delay_ms is not None and not record.flaw.type:
            raise WaitTimedOut(record.flaw.message)
        raise StepFailed(record.flaw, record)


def _going() -> Recording:
    going = current_recording()
    if going is None:
        message = "a child is started by the code of a workflow, outside of its steps"
        raise NotInWorkflow(message)
    return going
