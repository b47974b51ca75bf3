"""Why a task that waits for its next attempt waits, and until when."""

from typing import Final

from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.explain.words import named, reason
from mainspring_engine.domain.limits import ATTEMPTS_PER_STEP_MAX, SUSPECT_DEATHS, SWEEP_LATE_MS
from mainspring_engine.domain.turn.joins import JOINS
from mainspring_engine.domain.workflow.state import VERSION_CONFLICT
from mainspring_kernel.times import rfc3339
from mainspring_schema.explaining import Reason
from mainspring_schema.operations import AttemptView

_NOT_KEPT: Final = ("returned", "undelivered")
"""How attempts close that no worker kept."""
CODE_DIFFERS: Final = (
    "Start a worker with the code it began with, mend the code, or fork it from the step that "
    "differs (POST to its fork): the fork goes on with the new code."
)


def delayed(facts: TaskFacts, snapshot: Snapshot) -> Reason:
    task, last = facts.task, facts.last
    due_ms = task.due_ms or snapshot.now_ms
    code = last.error_code if last is not None and last.error_code else "unknown"
    if task.deaths >= SUSPECT_DEATHS and due_ms <= snapshot.now_ms and _is_swept(snapshot):
        return _suspect(facts, due_ms)
    if due_ms < snapshot.now_ms - SWEEP_LATE_MS:
        return reason(
            facts,
            "sweep_late",
            f"{named(task)} was to be tried again at {rfc3339(due_ms)}, and nobody made it ready",
            advice="See that a scheduler or an engine is up and reaches the database.",
            since_ms=due_ms,
        )
    if code == VERSION_CONFLICT:
        return reason(
            facts,
            "version",
            f"{named(task)} waits for a worker whose code fits what is recorded; the next try "
            f"is at {rfc3339(due_ms)}, or once a worker of its kind starts",
            advice=CODE_DIFFERS,
            until_ms=due_ms,
        )
    if code == JOINS:
        return _joining(facts, due_ms)
    if last is not None and last.closing in _NOT_KEPT:
        return _not_kept(facts, last, due_ms)
    return _retry(facts, code, due_ms)


def _is_swept(snapshot: Snapshot) -> bool:
    swept_ms = snapshot.sweeps_ms.get("retries")
    return swept_ms is not None and swept_ms <= SWEEP_LATE_MS


def _suspect(facts: TaskFacts, since_ms: int) -> Reason:
    task, last = facts.task, facts.last
    by = "" if last is None else f", {last.worker_name} last"
    return reason(
        facts,
        "suspect",
        f"{named(task)} lost its worker {task.deaths} times{by}, and is tried alone: it waits for "
        f"others of the queue {task.queue} of which the same is true",
        advice="They are tried one after the other. The next death sets one aside: see the log of "
        "its worker.",
        moving=True,
        since_ms=since_ms,
    )


def _not_kept(facts: TaskFacts, last: AttemptView, due_ms: int) -> Reason:
    task = facts.task
    return reason(
        facts,
        "not_kept",
        f"{named(task)} was given out {task.uncounted} times and no worker kept it; "
        f"{last.worker_name} had it last ({last.closing}), the next try is at {rfc3339(due_ms)}",
        advice="See its worker's log: it may be too old to read the task.",
        since_ms=last.closed_ms,
        until_ms=due_ms,
    )


def _retry(facts: TaskFacts, code: str, due_ms: int) -> Reason:
    task, last = facts.task, facts.last
    ours = task.kind in ("reason", "tool")
    said = f": {last.error_message}" if last is not None and last.error_message else ""
    # How often a user's step is tried is for its code to say.
    of = f" of {ATTEMPTS_PER_STEP_MAX}" if ours else ""
    return reason(
        facts,
        "retry",
        f"{named(task)} waits until {rfc3339(due_ms)} for its next attempt; {task.failures}{of} "
        f"failed, the last one with {code}{said}",
        advice=f"It is tried by itself; cancel {'the turn' if ours else 'it'} to stop it.",
        moving=True,
        since_ms=None if last is None else last.closed_ms,
        until_ms=due_ms,
    )


def _joining(facts: TaskFacts, due_ms: int) -> Reason:
    last = facts.last
    return reason(
        facts,
        "waiting",
        f"{named(facts.task)} waits for a child session, and looks at it by {rfc3339(due_ms)}",
        advice="Look at the session's tasks; cancel the child, or this turn with all of them.",
        since_ms=None if last is None else last.closed_ms,
        until_ms=due_ms,
        moving=True,
    )
