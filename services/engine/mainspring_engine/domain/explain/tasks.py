"""Why one open task does not move. Each rule looks at one state of a task."""

from collections.abc import Iterable
from typing import Final, assert_never

from mainspring_engine.domain.circuit import Circuit
from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.limit import KeyLimit
from mainspring_engine.domain.limits import AHEAD_MAX, DISPATCH_LATE_MS, SWEEP_LATE_MS
from mainspring_engine.domain.routes import shown
from mainspring_engine.domain.samples import SeatSample
from mainspring_engine.domain.turn.joins import JOINS
from mainspring_engine.domain.workflow.state import VERSION_CONFLICT
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.limits import ATTEMPTS_PER_STEP_MAX
from mainspring_kernel.times import rfc3339
from mainspring_schema.explaining import Reason
from mainspring_schema.operations import AttemptView, TaskView

_NOT_KEPT: Final = ("returned", "undelivered")
"""How attempts close that no worker kept."""
CODE_DIFFERS: Final = (
    "Start a worker with the code it began with, mend the code, or fork it from the step that "
    "differs (POST to its fork): the fork goes on with the new code."
)


def why(facts: TaskFacts, snapshot: Snapshot) -> Reason:
    """The one reason of an open task that counts most."""
    match facts.task.status:
        case "ready":
            return _ready(facts, snapshot)
        case "leased":
            return _leased(facts, snapshot)
        case "delayed":
            return _delayed(facts, snapshot)
        case "waiting":
            return _of(facts, "waiting", f"{_named(facts.task)} waits for something else to end")
        case "closed":
            return _of(facts, "closed", f"{_named(facts.task)} is closed", moving=True)
        case _:
            assert_never(facts.task.status)


# ── ready: who could take it ────────────────────────────────────────────────────────────────────


def _ready(facts: TaskFacts, snapshot: Snapshot) -> Reason:
    task = facts.task
    held = _held_back(facts, snapshot)
    if held is not None:
        return held
    able = [seat for seat in snapshot.seats if _can(seat, task)]
    fitting = [seat for seat in able if task.build in ("", None, seat.build)]
    if not able:
        return _of(
            facts,
            "no_worker",
            f"{_named(task)} waits for a worker that serves {_route(task)}; none is attached",
            advice="Start one, or let one that is there offer this queue and capability.",
        )
    if not fitting:
        builds = ", ".join(sorted({seat.build or "(no build)" for seat in able}))
        return _of(
            facts,
            "version",
            f"{_named(task)} waits for a worker of build {task.build}; attached are {builds}",
            advice=f"Start a worker of build {task.build}.",
        )
    if not any(seat.active for seat in fitting):
        return _nobody_active(facts, fitting)
    free = sum(max(0, seat.slots - seat.held) for seat in fitting)
    return (
        _no_credit(facts, fitting, snapshot.hold_s(task))
        if free == 0
        else _dispatch(facts, free, snapshot.now_ms)
    )


def _held_back(facts: TaskFacts, snapshot: Snapshot) -> Reason | None:
    circuit, limit = snapshot.circuit(facts.task), snapshot.limit(facts.task)
    if circuit is not None:
        return _circuit(facts, circuit, snapshot.now_ms)
    return None if limit is None else _limit(facts, limit)


def _can(seat: SeatSample, task: TaskView) -> bool:
    return task.queue in seat.queues and (task.capability or "") in seat.capabilities


def _circuit(facts: TaskFacts, circuit: Circuit, now_ms: int) -> Reason:
    named = f"{_named(facts.task)} waits: the circuit of {shown(circuit.key)} is"
    if circuit.forced:
        return _of(
            facts,
            "circuit",
            f"{named} held open by an operator ({circuit.reason or 'no reason was given'})",
            advice="Reset the circuit breaker to give it back to the rules.",
            since_ms=circuit.opened_ms,
        )
    word = circuit.state.name.lower().replace("_", "-")
    return _of(
        facts,
        "circuit",
        f"{named} {word} after failures ({circuit.reason or 'unknown'})",
        advice="It is probed by itself; look at what fails behind it, or force the circuit closed.",
        since_ms=circuit.opened_ms,
        until_ms=now_ms + circuit.wait_ms,
    )


def _limit(facts: TaskFacts, limit: KeyLimit) -> Reason:
    of = f"{shown(limit.key)}{f' (of {shown(limit.family)})' if limit.family else ''}"
    named = f"{_named(facts.task)} waits for the limit of {of}:"
    if limit.at_once == 0:
        return _of(
            facts,
            "limit",
            f"{named} it lets none run ({limit.running} still do)",
            advice="The key was paused by this limit: raise the limit, or remove it.",
            since_ms=facts.task.due_ms,
        )
    if limit.at_once is not None and limit.running >= limit.at_once:
        return _of(
            facts,
            "limit",
            f"{named} {limit.running} of {limit.at_once} at once are running",
            advice="It goes on when one of them ends; raise the limit, or look at what runs.",
            since_ms=facts.task.due_ms,
        )
    return _of(
        facts,
        "limit",
        f"{named} {limit.rate} in {(limit.per_ms or 0) / 1000:g} s",
        advice="It goes on as the limit's time comes; raise the limit to let more through.",
        since_ms=facts.task.due_ms,
    )


def _nobody_active(facts: TaskFacts, seats: Iterable[SeatSample]) -> Reason:
    silent = sum(seat.silent for seat in seats)
    if silent:
        return _of(
            facts,
            "workers_silent",
            f"{_named(facts.task)} waits: the {silent} workers that serve {_route(facts.task)} "
            "are attached but were not heard of lately",
            advice="They may be frozen: look at them, or start others.",
        )
    return _of(
        facts,
        "workers_draining",
        f"{_named(facts.task)} waits: every worker that serves {_route(facts.task)} is draining",
        advice="Resume one of them, or start another.",
    )


def _expected(ahead: int, slots: int, hold_s: float | None) -> str:
    """As the health of its queue reckons it: the tasks up to this one x hold / slots."""
    if hold_s is None or not slots or ahead >= AHEAD_MAX:
        return ""
    return f"; its turn should come in about {(ahead + 1) * hold_s / slots:.1f} s"


def _no_credit(facts: TaskFacts, seats: list[SeatSample], hold_s: float | None) -> Reason:
    slots, active = sum(seat.slots for seat in seats), sum(seat.active for seat in seats)
    before = f"{facts.ahead}{' or more' if facts.ahead >= AHEAD_MAX else ''}"
    return _of(
        facts,
        "no_credit",
        f"{_named(facts.task)} waits for a free slot: all {slots} of {active} workers are in use, "
        f"and {before} tasks of its route are before it{_expected(facts.ahead, slots, hold_s)}",
        advice="Start more workers, or give them more slots.",
        since_ms=facts.task.due_ms,
    )


def _dispatch(facts: TaskFacts, free: int, now_ms: int) -> Reason:
    due_ms = facts.task.due_ms or now_ms
    late = now_ms - due_ms > DISPATCH_LATE_MS
    text = f"{_named(facts.task)} is about to be claimed: {free} slots are free"
    if not late:
        return _of(facts, "dispatch", text, moving=True, since_ms=due_ms)
    return _of(
        facts,
        "dispatch_late",
        f"{_named(facts.task)} is ready since {rfc3339(due_ms)} although {free} slots are free",
        advice="Engines look each second: see their logs for claims that wait for the database.",
        since_ms=due_ms,
    )


# ── leased: who has it ──────────────────────────────────────────────────────────────────────────


def _leased(facts: TaskFacts, snapshot: Snapshot) -> Reason:
    task, now_ms = facts.task, snapshot.now_ms
    until_ms = task.lease_until_ms or now_ms
    if until_ms < now_ms:
        return _lease_over(facts, snapshot, until_ms)
    if facts.holder is None or facts.holder.status in ("silent", "stopped"):
        return _lost(facts, until_ms)
    if task.cancelling:
        return _of(
            facts,
            "stopping",
            f"{_named(task)} was asked to stop at {_holder(facts)}, which has not confirmed it yet",
            moving=True,
            since_ms=task.claimed_ms,
            until_ms=until_ms,
        )
    if not task.acknowledged:
        return _of(
            facts,
            "delivering",
            f"{_named(task)} was handed to {_holder(facts)}, which has not confirmed it yet",
            moving=True,
            since_ms=task.claimed_ms,
            until_ms=until_ms,
        )
    return _of(
        facts,
        "at_work",
        f"{_named(task)} is at work at {_holder(facts)}, attempt {task.fence}",
        moving=True,
        since_ms=task.claimed_ms,
        until_ms=until_ms,
    )


def _lease_over(facts: TaskFacts, snapshot: Snapshot, until_ms: int) -> Reason:
    swept_ms = snapshot.sweeps_ms.get("leases")
    late = swept_ms is None or swept_ms > SWEEP_LATE_MS
    ended = f"the lease of {_named(facts.task)} at {_holder(facts)} ran out"
    if late:
        said = "never" if swept_ms is None else f"{swept_ms / 1000:.0f} s ago"
        return _of(
            facts,
            "sweep_late",
            f"{ended}, and the sweep that takes it up was made {said}",
            advice="See that a scheduler or an engine is up and reaches the database.",
            since_ms=until_ms,
        )
    return _of(
        facts, "lease_over", f"{ended}; the next sweep takes it up", moving=True, since_ms=until_ms
    )


def _lost(facts: TaskFacts, until_ms: int) -> Reason:
    after = "then another worker gets it"
    if facts.task.started and facts.task.effect in ("at_most_once", "verifiable"):
        after = "its effect had started, so then its outcome is unknown and it is not tried again"
    return _of(
        facts,
        "worker_lost",
        f"{_named(facts.task)} is held by {_holder(facts)}, which was not heard of lately; its "
        f"lease ends at {rfc3339(until_ms)}, {after}",
        moving=True,
        since_ms=facts.task.claimed_ms,
        until_ms=until_ms,
    )


# ── delayed: until when ─────────────────────────────────────────────────────────────────────────


def _delayed(facts: TaskFacts, snapshot: Snapshot) -> Reason:
    task, last = facts.task, facts.last
    due_ms = task.due_ms or snapshot.now_ms
    code = last.error_code if last is not None and last.error_code else "unknown"
    if due_ms < snapshot.now_ms - SWEEP_LATE_MS:
        return _of(
            facts,
            "sweep_late",
            f"{_named(task)} was to be tried again at {rfc3339(due_ms)}, and nobody made it ready",
            advice="See that a scheduler or an engine is up and reaches the database.",
            since_ms=due_ms,
        )
    if code == VERSION_CONFLICT:
        return _of(
            facts,
            "version",
            f"{_named(task)} waits for a worker whose code fits what is recorded; the next try "
            f"is at {rfc3339(due_ms)}, or once a worker of its kind starts",
            advice=CODE_DIFFERS,
            until_ms=due_ms,
        )
    if code == JOINS:
        return _joining(facts, due_ms)
    if last is not None and last.closing in _NOT_KEPT:
        return _not_kept(facts, last, due_ms)
    ours = task.kind in ("reason", "tool")
    said = f": {last.error_message}" if last is not None and last.error_message else ""
    # How often a user's step is tried is for its code to say.
    of = f" of {ATTEMPTS_PER_STEP_MAX}" if ours else ""
    return _of(
        facts,
        "retry",
        f"{_named(task)} waits until {rfc3339(due_ms)} for its next attempt; {task.failures}{of} "
        f"failed, the last one with {code}{said}",
        advice=f"It is tried by itself; cancel {'the turn' if ours else 'it'} to stop it.",
        since_ms=None if last is None else last.closed_ms,
        until_ms=due_ms,
    )


# ── words ───────────────────────────────────────────────────────────────────────────────────────


def _not_kept(facts: TaskFacts, last: AttemptView, due_ms: int) -> Reason:
    task = facts.task
    return _of(
        facts,
        "not_kept",
        f"{_named(task)} was given out {task.uncounted} times and no worker kept it; "
        f"{last.worker_name} had it last ({last.closing}), the next try is at {rfc3339(due_ms)}",
        advice="See its worker's log: it may be too old to read the task.",
        since_ms=last.closed_ms,
        until_ms=due_ms,
    )


def _joining(facts: TaskFacts, due_ms: int) -> Reason:
    last = facts.last
    return _of(
        facts,
        "waiting",
        f"{_named(facts.task)} waits for a child session, and looks at it by {rfc3339(due_ms)}",
        advice="Look at the session's tasks; cancel the child, or this turn with all of them.",
        since_ms=None if last is None else last.closed_ms,
        until_ms=due_ms,
        moving=True,
    )


def _of(  # noqa: PLR0913 - one per member of a reason
    facts: TaskFacts,
    code: str,
    text: str,
    *,
    advice: str = "",
    moving: bool = False,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Reason:
    return Reason(
        code=code,
        text=text,
        advice=advice,
        moving=moving,
        task_id=facts.task.id,
        worker_id=facts.task.worker_id,
        since_ms=since_ms,
        until_ms=until_ms,
    )


def _named(task: TaskView) -> str:
    match task.kind:
        case "reason":
            return f"the model call {task.step}"
        case "tool":
            return f"the tool call {task.step}"
        case "workflow":
            return "the workflow's code"
        case "task":
            return f"the task {task.step}"
        case "step":
            return f"the step {task.step}"
        case _:
            assert_never(task.kind)


def _route(task: TaskView) -> str:
    capability = f", capability {task.capability}" if task.capability else ""
    return f"queue {task.queue}{capability}"


def _holder(facts: TaskFacts) -> str:
    worker_id = facts.task.worker_id
    if worker_id is None:
        return "a worker"
    name = facts.task.worker_name
    id_ = to_wire(Prefix.WORKER, worker_id)
    return f"worker {name} ({id_})" if name else f"worker {id_}"
