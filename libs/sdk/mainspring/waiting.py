"""What a workflow's code may wait for without holding a worker, and what it tells meanwhile."""

from datetime import timedelta
from typing import TypeVar, cast, overload

import msgspec

from mainspring.errors import NotInWorkflow, StepFailed, WaitTimedOut
from mainspring.recording import Recording, current_recording
from mainspring.values import hash_of

T = TypeVar("T")


async def sleep(duration: float | timedelta) -> None:
    """Waits for seconds to years: by the engine's clock, through any restart.

    Raises NotInWorkflow elsewhere than in a workflow's code.
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    delay_ms = max(0, round(seconds * 1000))
    await _go("sleep").wait("sleep", "sleep", delay_ms=delay_ms, digest=hash_of(delay_ms))


@overload
async def wait_for_signal(name: str, *, timeout_s: float | None = None) -> object: ...
@overload
async def wait_for_signal(name: str, *, timeout_s: float | None = None, type: type[T]) -> T: ...
async def wait_for_signal(
    name: str,
    *,
    timeout_s: float | None = None,
    type: type[T] | None = None,  # noqa: A002 - it is the word for it
) -> object:
    """Waits for a signal of this name and returns its payload; each signal is taken once.

    One that came before is taken at once, the oldest first. Raises WaitTimedOut after `timeout_s`
    (default: never), NotInWorkflow elsewhere than in a workflow's code.
    """
    delay_ms = None if timeout_s is None else max(0, round(timeout_s * 1000))
    record = await _go("wait_for_signal").wait(
        "signal", name, delay_ms=delay_ms, digest=hash_of([name, delay_ms])
    )
    if record.flaw is not None:
        if record.flaw.code == "timeout":
            raise WaitTimedOut(record.flaw.message)
        raise StepFailed(record.flaw)
    wanted = cast("type[object]", object if type is None else type)
    return msgspec.json.decode(record.result, type=wanted)


async def report(value: object) -> None:
    """Sets what `Handle.state()` answers from now on: how far it is, what it found.

    It is recorded with the next step and costs no commit of its own. At most 64 KiB of JSON. Raises
    Unserializable, and NotInWorkflow elsewhere than in a workflow's code.
    """
    await _go("report").report(value)


def _go(what: str) -> Recording:
    go = current_recording()
    if go is None:
        message = f"{what}() is for the code of a workflow, outside of its steps"
        raise NotInWorkflow(message)
    return go
