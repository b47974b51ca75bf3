"""What is logged of user's code that failed: the record has the message, people want the place."""

import logging
from collections.abc import Iterable
from contextvars import ContextVar
from traceback import format_exception, format_tb
from types import TracebackType
from typing import Final, cast
from uuid import UUID

from mainspring.errors import GiveUp, StepFailed
from mainspring.saying import said
from mainspring_kernel.ids import Prefix, to_wire

LOG: Final = logging.getLogger("mainspring")
_CALLERS: Final = ("mainspring", "mainspring_workstream", "asyncio", "concurrent")
"""Packages whose frames come before those of a step or a workflow."""
_subject: ContextVar[tuple[Prefix, UUID] | None] = ContextVar("mainspring_subject", default=None)


def at_work_on(kind: Prefix, id_: UUID) -> None:
    """The present task is, and those that it makes."""
    _subject.set((kind, id_))


def _named() -> str:
    """What the present task is at work on; "" for nothing that has an id."""
    subject = _subject.get()
    return "" if subject is None else to_wire(*subject)


def _said_of(what: str, error: BaseException) -> str:
    named = _named()
    whose = f" of {named}" if named else ""
    return f"{what}{whose} failed: {type(error).__name__}: {said(error)}"


def failed_for_good(what: str, error: BaseException) -> None:
    """With its traceback, unless somebody meant it to fail or has told of it."""
    line = _said_of(what, error)
    trace = _from_the_users(error.__traceback__)
    if isinstance(error, GiveUp | StepFailed):
        LOG.info("%s", line)
    elif _can_be_written(error):
        LOG.warning("%s", line, exc_info=(type(error), error, trace))
    else:
        LOG.warning("%s\n%s", line, "".join(format_tb(trace)).rstrip())


def _from_the_users(whole: TracebackType | None) -> TracebackType | None:
    """Without what called the user's code; the whole where none of that is in it."""
    trace = whole
    while trace is not None and _calls(trace):
        trace = trace.tb_next
    return trace or whole


def _calls(trace: TracebackType) -> bool:
    globals_ = cast("dict[str, object]", trace.tb_frame.f_globals)
    return str(globals_.get("__name__", "")).partition(".")[0] in _CALLERS


def _can_be_written(error: BaseException) -> bool:
    """Whether its traceback can: not where a message has half a character, or raises itself."""
    try:
        "".join(format_exception(error)).encode()
    except Exception:  # noqa: BLE001 - a `__str__` of the user's own
        return False
    return True


def went_on_alone(waits: Iterable[str]) -> None:
    """Code at rest was woken by something of its own process, which no replay would do again."""
    LOG.warning(
        "%s went on by itself where it waits for %s: a timer of its process, as of asyncio.timeout"
        " or wait_for, counts for nothing while it rests. Give the wait its own timeout_s",
        _named() or "a workflow",
        ", ".join(waits) or "something",
    )


def held_by_nothing(step: str) -> None:
    """A limit that somebody believes in does not hold."""
    LOG.warning(
        "step %s runs within its workflow's task, where its keys, circuit and start_within_s hold"
        " nothing: give it a queue, so that each call is a task",
        step,
    )


def tried_again(what: str, error: BaseException, delay_s: float) -> None:
    """One line: most such errors pass."""
    if LOG.isEnabledFor(logging.INFO):
        LOG.info("%s, again in %.1f s", _said_of(what, error), delay_s)
