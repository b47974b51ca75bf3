"""Why one open task does not move. Each rule looks at one state of a task."""

from collections.abc import Iterable
from typing import assert_never

from mainspring_engine.domain.circuit import Circuit
from mainspring_engine.domain.explain.delayed import delayed
from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.explain.words import holder, named, queue_of, reason
from mainspring_engine.domain.limit import KeyLimit
from mainspring_engine.domain.limits import AHEAD_MAX, DISPATCH_LATE_MS, SWEEP_LATE_MS
from mainspring_engine.domain.samples import SeatSample
from mainspring_kernel.times import rfc3339
from mainspring_schema.agents import BOUND
from mainspring_schema.explaining import Reason
from mainspring_schema.keys import wire_key
from mainspring_schema.operations import TaskView


def why(facts: TaskFacts, snapshot: Snapshot) -> Reason:
    """The one reason of an open task that counts most."""
    match facts.task.status:
        case "ready":
            return _ready(facts, snapshot)
        case "leased":
            return _leased(facts, snapshot)
        case "delayed":
            return delayed(facts, snapshot)
        case "waiting":
            text = f"{named(facts.task)} waits for something else to end"
            return reason(facts, "waiting", text, moving=True)
        case "closed":
            return reason(facts, "closed", f"{named(facts.task)} is closed", moving=True)
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
        return reason(
            facts,
            "no_worker",
            f"{named(task)} waits for a worker that serves {queue_of(task)}; none is attached",
            advice="Start one, or let one that is there offer this queue and capability.",
        )
    if not fitting:
        builds = ", ".join(sorted({seat.build or "(no build)" for seat in able}))
        return reason(
            facts,
            "version",
            f"{named(task)} waits for a worker of build {task.build}; attached are {builds}",
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
    waits = f"{named(facts.task)} waits: the circuit of {wire_key(circuit.key)} is"
    if circuit.forced:
        return reason(
            facts,
            "circuit",
            f"{waits} held open by an operator ({circuit.reason or 'no reason was given'})",
            advice="Reset the circuit breaker to give it back to the rules.",
            since_ms=circuit.opened_ms,
        )
    word = circuit.state.name.lower().replace("_", "-")
    return reason(
        facts,
        "circuit",
        f"{waits} {word} after failures ({circuit.reason or 'unknown'})",
        advice="It is probed by itself; look at what fails behind it, or force the circuit closed.",
        moving=True,
        since_ms=circuit.opened_ms,
        until_ms=now_ms + circuit.wait_ms,
    )


def _limit(facts: TaskFacts, limit: KeyLimit) -> Reason:
    of = f"{wire_key(limit.key)}{f' (of {wire_key(limit.family)})' if limit.family else ''}"
    waits = f"{named(facts.task)} waits for the limit of {of}:"
    if limit.at_once == 0:
        return reason(
            facts,
            "limit",
            f"{waits} it lets none run ({limit.running} still do)",
            advice="The key was paused by this limit: raise the limit, or remove it.",
            since_ms=facts.task.due_ms,
        )
    if limit.at_once is not None and limit.running >= limit.at_once:
        return reason(
            facts,
            "limit",
            f"{waits} {limit.running} of {limit.at_once} at once are running",
            advice="It goes on when one of them ends; raise the limit, or look at what runs.",
            moving=True,
            since_ms=facts.task.due_ms,
        )
    return reason(
        facts,
        "limit",
        f"{waits} {limit.rate} in {(limit.per_ms or 0) / 1000:g} s",
        advice="It goes on as the limit's time comes; raise the limit to let more through.",
        moving=True,
        since_ms=facts.task.due_ms,
    )


def _nobody_active(facts: TaskFacts, seats: Iterable[SeatSample]) -> Reason:
    silent = sum(seat.silent for seat in seats)
    if silent:
        return reason(
            facts,
            "workers_silent",
            f"{named(facts.task)} waits: the {silent} workers that serve {queue_of(facts.task)} "
            "are attached but were not heard of lately",
            advice="They may be frozen: look at them, or start others.",
        )
    return reason(
        facts,
        "workers_draining",
        f"{named(facts.task)} waits: every worker that serves {queue_of(facts.task)} is draining",
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
    return reason(
        facts,
        "no_credit",
        f"{named(facts.task)} waits for a free slot: all {slots} of {active} workers are in use, "
        f"and {before} tasks of its route are before it{_expected(facts.ahead, slots, hold_s)}",
        advice="It goes on when one of them is free; start more workers, or give them more slots.",
        moving=True,
        since_ms=facts.task.due_ms,
    )


def _dispatch(facts: TaskFacts, free: int, now_ms: int) -> Reason:
    due_ms = facts.task.due_ms or now_ms
    late = now_ms - due_ms > DISPATCH_LATE_MS
    text = f"{named(facts.task)} is about to be claimed: {free} slots are free"
    if not late:
        return reason(facts, "dispatch", text, moving=True, since_ms=due_ms)
    return reason(
        facts,
        "dispatch_late",
        f"{named(facts.task)} is ready since {rfc3339(due_ms)} although {free} slots are free",
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
        return reason(
            facts,
            "stopping",
            f"{named(task)} was asked to stop at {holder(facts)}, which has not confirmed it yet",
            moving=True,
            since_ms=task.claimed_ms,
            until_ms=until_ms,
        )
    if not task.acknowledged:
        return reason(
            facts,
            "delivering",
            f"{named(task)} was handed to {holder(facts)}, which has not confirmed it yet",
            moving=True,
            since_ms=task.claimed_ms,
            until_ms=until_ms,
        )
    return reason(
        facts,
        "at_work",
        f"{named(task)} is at work at {holder(facts)}, attempt {task.fence}",
        moving=True,
        since_ms=task.claimed_ms,
        until_ms=until_ms,
    )


def _lease_over(facts: TaskFacts, snapshot: Snapshot, until_ms: int) -> Reason:
    swept_ms = snapshot.sweeps_ms.get("leases")
    late = swept_ms is None or swept_ms > SWEEP_LATE_MS
    ended = f"the lease of {named(facts.task)} at {holder(facts)} ran out"
    if late:
        said = "never" if swept_ms is None else f"{swept_ms / 1000:.0f} s ago"
        return reason(
            facts,
            "sweep_late",
            f"{ended}, and the sweep that takes it up was made {said}",
            advice="See that a scheduler or an engine is up and reaches the database.",
            since_ms=until_ms,
        )
    return reason(
        facts, "lease_over", f"{ended}; the next sweep takes it up", moving=True, since_ms=until_ms
    )


def _lost(facts: TaskFacts, until_ms: int) -> Reason:
    after = "then another worker gets it"
    if facts.task.started and facts.task.effect in BOUND:
        after = "its effect had started, so then its outcome is unknown and it is not tried again"
    return reason(
        facts,
        "worker_lost",
        f"{named(facts.task)} is held by {holder(facts)}, which was not heard of lately; its "
        f"lease ends at {rfc3339(until_ms)}, {after}",
        moving=True,
        since_ms=facts.task.claimed_ms,
        until_ms=until_ms,
    )
