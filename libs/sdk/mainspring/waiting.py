"""What a workflow's code may wait for without holding a worker, and what it tells meanwhile."""

from datetime import timedelta
from typing import NoReturn, TypeVar, cast, overload

from mainspring.delays import delay_ms_of, timeout_ms_of
from mainspring.errors import NotInWorkflow, StepFailed, WaitTimedOut
from mainspring.recording import Recording, current_recording
from mainspring.values import check_step_name, decode, hash_of
from mainspring_schema.workflows import Flaw

T = TypeVar("T")


async def sleep(duration: float | timedelta) -> None:
    """Waits for seconds to years: by the engine's clock, through any restart.

    Raises NotInWorkflow elsewhere than in a workflow's code.
    """
    delay_ms = delay_ms_of(duration)
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
    (default: never), StepFailed with the code `invalid_input` for a payload that does not fit
    `type`, ValueError for a name that is too long, NotInWorkflow elsewhere than in a workflow's
    code.
    """
    delay_ms = timeout_ms_of(timeout_s)
    record = await _go("wait_for_signal").wait(
        "signal", check_step_name(name), delay_ms=delay_ms, digest=hash_of([name, delay_ms])
    )
    if record.flaw is not None:
        if record.flaw.code == "timeout":
            raise WaitTimedOut(record.flaw.message)
        raise StepFailed(record.flaw, record)
    wanted = cast("type[object]", object if type is None else type)
    try:
        return decode(record.result, wanted)
    except ValueError as error:
        message = f"the signal {name} has a payload that does not fit: {error}"
        flaw = Flaw(code="invalid_input", message=message, type=error.__class__.__name__)
        raise StepFailed(flaw, record) from None


async def report(value: object) -> None:
    """Sets what `Handle.state()` answers from now on: how far it is, what it found.

    It is recorded with the next step and costs no commit of its own. At most 64 KiB of JSON. Raises
    Unserializable, and NotInWorkflow elsewhere than in a workflow's code.
    """
    await _go("report").report(value)


async def start_over(*args: object, **kwargs: object) -> NoReturn:
    """Begins the workflow's code anew with these arguments: same id, same key, an empty record.

    So what goes on for ever costs no more with each passage: what was recorded before stays in the
    history, and is not read again. Signals that nobody took are kept; what other branches wait for
    is given up, and children among it are cancelled. Does not return. Raises TypeError for
    arguments that do not fit, Unserializable, and NotInWorkflow elsewhere than in a workflow's
    code.
    """
    await _go("start_over").start_over(args, kwargs)


def _go(what: str) -> Recording:
    go = current_recording()
    if go is None:
        message = f"{what}() is for the code of a workflow, outside of its steps"
        raise NotInWorkflow(message)
    return go
