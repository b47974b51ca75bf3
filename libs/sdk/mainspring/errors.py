"""What a workflow's code may catch, and what a client may be told."""

from mainspring_kernel.plain_limits import PLAIN_RETRY_MS_MAX
from mainspring_schema.workflows import Flaw, StepRecord


class _Carried(Exception):
    """Comes whole out of a pool of processes, and out of a copy, whatever its `__init__` takes.

    Python would make it anew of its text, and a pool is broken by an error that it cannot read.
    """

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[_Carried], args: tuple[object, ...]) -> _Carried:
    error = kind.__new__(kind)
    error.args = args
    return error


class StepFailed(_Carried):
    """A step failed for good: the same now and in every replay, so `__cause__` is None.

    What the step raised is in the worker's log.
    """

    def __init__(self, flaw: Flaw, record: StepRecord | None = None) -> None:
        super().__init__(f"{flaw.code}: {flaw.message}")
        self.where = "" if record is None else where(record)
        """Of the code that called it: "step 3 (charge)", "step 2/1 (child ship)"."""
        self.code = flaw.code
        """Stable: of a `GiveUp` its own; `step_failed`, `timeout`, `timeout.heartbeat`, …"""
        self.message = flaw.message
        self.type = flaw.type
        """The name of the exception's class."""

    @property
    def flaw(self) -> Flaw:
        """As it is recorded."""
        return Flaw(code=self.code, message=self.message, type=self.type)


def where(record: StepRecord) -> str:
    """Where a record stands, for people: as declared workflows say it."""
    kind = "" if record.kind == "step" else f"{record.kind} "
    return f"step {record.step} ({kind}{record.name})"


def _told(code: str, kind: str, message: str) -> str:
    """Each once: of an exception without a text its class is the message."""
    return ": ".join(dict.fromkeys(part for part in (code, kind, message) if part))


class WaitTimedOut(TimeoutError):
    """What was waited for did not come in time."""


class HeartbeatTimedOut(_Carried, TimeoutError):
    """A step's handler said nothing for longer than its heartbeat timeout."""

    def __init__(self, heartbeat_s: float) -> None:
        super().__init__(f"no heartbeat for {heartbeat_s} s")


class AttemptOver(Exception):
    """The attempt that calls `heartbeat` is over: it timed out, or its task was lost or cancelled.

    Whatever it still does nobody waits for.
    """


class GiveUp(_Carried):
    """Raise it in a step or a workflow to fail at once, with a code of your own.

    A number, as of HTTP, is told as text.
    """

    def __init__(self, code: str | int, message: str = "") -> None:
        self.code = code if isinstance(code, str) else str(code)
        super().__init__(message or self.code)


class RetryAfter(_Carried):
    """Raise it in a step where the other side said when to come again: no sooner than that.

    Making it raises ValueError for what is no time, or longer than a plain task's attempts wait.
    """

    def __init__(self, seconds: float, message: str = "") -> None:
        if not seconds * 1000 <= PLAIN_RETRY_MS_MAX:
            told = f"{seconds} s: a step comes again within {PLAIN_RETRY_MS_MAX // 1000} s"
            raise ValueError(told)
        super().__init__(message or f"not before {seconds:g} s")
        self.seconds = seconds


class ToolError(Exception):
    """Raise it in a tool: the model reads the message, and may do better."""


class NotDone(Exception):
    """Raise it in a probe: the lost call certainly took no effect. The model reads the message."""

    def __init__(self, message: str = "the call was lost before it took effect") -> None:
        super().__init__(message)


class Unserializable(TypeError):
    """A value that is no JSON, or over the bound: it cannot be recorded."""


class NotInWorkflow(RuntimeError):
    """This is only to be awaited in the code of a workflow."""


class NotInStep(_Carried, RuntimeError):
    """Only an attempt at a step knows whose it is; a step that is called as a function is none."""

    def __init__(self) -> None:
        super().__init__("step_info() is for the code of a step that a worker carries out")


class TaskFailed(_Carried):
    """A submitted task failed for good, with the code of its last attempt."""

    def __init__(self, task_id: str, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.task_id = task_id
        self.code = code


class WorkflowFailed(_Carried):
    """The workflow whose result was asked for failed or was cancelled. `code` is stable."""

    def __init__(self, workflow_id: str, code: str, message: str, type_: str = "") -> None:
        super().__init__(f"{workflow_id} ended as {_told(code, type_, message)}")
        self.workflow_id = workflow_id
        self.code = code
        self.message = message
        self.type = type_
        """The name of the exception's class, where an exception ended it."""


class ApiError(_Carried):
    """The service refused. `code` is stable, see docs/errors.md."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code} ({status}): {detail}")
        self.status = status
        self.code = code
        self.detail = detail
