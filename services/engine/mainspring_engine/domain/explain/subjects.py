"""Why a turn, a user's workflow, a session or a task does not move. Pure rules over a snapshot."""

from uuid import UUID

from mainspring_engine.domain import loss, plain
from mainspring_engine.domain.explain import tasks
from mainspring_engine.domain.explain.delayed import CODE_DIFFERS
from mainspring_engine.domain.explain.snapshot import Snapshot
from mainspring_engine.domain.rows import Outcome, WaitRow, Workflow
from mainspring_engine.domain.turn import state as turns
from mainspring_engine.domain.turn.state import Phase as TurnPhase
from mainspring_engine.domain.workflow import state as workflows
from mainspring_engine.domain.workflow.state import Phase as WorkflowPhase
from mainspring_kernel.errors import StateUnreadable
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.explaining import Explanation, Reason, Subject
from mainspring_schema.grants import SessionStatus
from mainspring_schema.operations import LetterView

Told = tuple[str, tuple[Reason, ...]]
"""Where it is, and what it waits for."""


def explain(subject: Subject, id_: UUID, snapshot: Snapshot) -> Explanation:
    state, reasons = _told(subject, id_, snapshot)
    needed = next((reason for reason in reasons if not reason.moving), None)
    workflow = snapshot.workflow
    return Explanation(
        subject=subject,
        id=id_,
        session_id=None if snapshot.head is None else snapshot.head.session_id,
        workflow_id=None if workflow is None else workflow.id,
        of_turn=workflow is None or workflow.is_turn,
        state=state,
        moving=needed is None,
        summary=(needed or reasons[0]).text,
        reasons=reasons,
    )


def _told(subject: Subject, id_: UUID, snapshot: Snapshot) -> Told:
    if subject == "task":
        return _task(id_, snapshot)
    if subject == "session" and _is_at_rest(snapshot):
        return _session(snapshot)
    workflow = snapshot.workflow
    if workflow is None:
        return _session(snapshot)
    if workflow.outcome is not Outcome.RUNNING:
        return _ended(workflow, snapshot.letter)
    try:
        return _turn(workflow, snapshot) if workflow.is_turn else _workflow(workflow, snapshot)
    except StateUnreadable as error:
        return "held", (_unreadable(error),)


def _is_at_rest(snapshot: Snapshot) -> bool:
    workflow = snapshot.workflow
    return workflow is None or (workflow.is_turn and workflow.outcome is not Outcome.RUNNING)


def _unreadable(error: StateUnreadable) -> Reason:
    return Reason(code=error.code, text=error.detail, advice="bring back an engine that wrote it")


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────


def _task(task_id: UUID, snapshot: Snapshot) -> Told:
    facts = next((one for one in snapshot.tasks if one.task.id == task_id), None)
    if facts is not None:
        return facts.task.status, (tasks.why(facts, snapshot),)
    closed = snapshot.closed
    last = closed.attempts[-1] if closed is not None and closed.attempts else None
    text = "the task is closed and was never claimed"
    if last is not None:
        code = f" with {last.error_code}" if last.error_code else ""
        said = f": {last.error_message}" if last.error_message else ""
        ended = (
            f"its attempt {last.fence} ended as {last.closing}{code} at {rfc3339(last.closed_ms)}"
        )
        text = f"the task is closed: {ended}{said}"
    reasons = [Reason(code="closed", text=text, moving=True, task_id=task_id)]
    if snapshot.letter is not None and snapshot.letter.task_id == task_id:
        reasons.append(_letter(snapshot.letter))
    return "closed", tuple(reasons)


# ── turns ───────────────────────────────────────────────────────────────────────────────────────


def _turn(workflow: Workflow, snapshot: Snapshot) -> Told:
    state = turns.decode(workflow)
    reasons = [tasks.why(facts, snapshot) for facts in snapshot.tasks]
    reasons += _queued(state) + _without_room(state)
    due_ms = None if state.timer_id is None else snapshot.timers.get(state.timer_id)
    if state.phase is TurnPhase.CLIENT:
        reasons.append(_client(state, due_ms))
    elif state.phase is TurnPhase.PAUSED:
        reasons.append(_resting(state, due_ms))
    elif state.phase is TurnPhase.CANCELLING:
        reasons.append(_cancelling("the turn", state.cancel_reason, due_ms))
    return state.phase.name.lower(), tuple(reasons or (_stuck(workflow),))


def _queued(state: turns.TurnState) -> list[Reason]:
    """Calls behind others. What waits for people as well is told of with them."""
    by_index = {call.index: call for call in state.calls}
    return [
        Reason(
            code="concurrency_class",
            text=f"the call {_name(call)} begins when {_name(by_index[call.behind])} has ended: "
            "both are of one concurrency class",
            moving=by_index[call.behind].task_id is not None,
        )
        for call in state.calls
        if call.behind in by_index and not call.appeal
    ]


def _without_room(state: turns.TurnState) -> list[Reason]:
    """Calls that are due while others are at work, or wait for people."""
    if state.phase is TurnPhase.PAUSED:
        return []
    at_work = any(call.task_id is not None for call in state.calls)
    return [
        Reason(
            code="budget",
            text=f"the call {_name(call)} begins once a budget of seconds has room for it",
            advice="It is looked at again when another call ends. Raise the budget and POST to the "
            "session's resume to have it begin now.",
            moving=at_work,
        )
        for call in state.calls
        if call.is_due
    ]


def _resting(state: turns.TurnState, due_ms: int | None) -> Reason:
    names = ", ".join(_name(call) for call in state.calls if call.is_due)
    what = f"a budget has no room for {names}" if names else "a budget lets no model call begin"
    text = f"the turn rests, because {what}"
    if due_ms is not None:
        text += f"; it looks again by itself at {rfc3339(due_ms)}"
    return Reason(
        code="budget",
        text=text,
        advice="Raise the budget and POST to the session's resume.",
        moving=due_ms is not None,
        until_ms=due_ms,
    )


def _client(state: turns.TurnState, due_ms: int | None) -> Reason:
    appeals = [_name(call) for call in state.calls if call.appeal]
    if appeals:
        return Reason(
            code="appeals",
            text=f"the turn waits for people to decide or answer: {', '.join(appeals)}",
            advice="POST to the session's tool-approvals or question-answers; a new message goes "
            "on without the calls.",
            until_ms=due_ms,
        )
    names = ", ".join(_name(call) for call in state.calls)
    return Reason(
        code="client_tools",
        text=f"the turn waits for the client to bring the results of its tools: {names}",
        advice="POST the results to the session's tool-results; a new message goes on without.",
        until_ms=due_ms,
    )


def _name(call: turns.OpenCall) -> str:
    return call.name or f"call {call.index}"


def _cancelling(what: str, reason: str | None, due_ms: int | None) -> Reason:
    return Reason(
        code="cancelling",
        text=f"{what} is being cancelled ({reason or 'user'}) and ends when who is at work has "
        "stopped, or at its deadline",
        moving=True,
        until_ms=due_ms,
    )


def _stuck(workflow: Workflow) -> Reason:
    kind = Prefix.TURN if workflow.is_turn else Prefix.WORKFLOW
    return Reason(
        code="stuck",
        text="nothing is open that could move it: no task, no timer, no wait",
        advice=f"This is a bug: report it with {to_wire(kind, workflow.id)}, and cancel it.",
    )


# ── users' workflows ────────────────────────────────────────────────────────────────────────────


def _workflow(workflow: Workflow, snapshot: Snapshot) -> Told:
    state = workflows.decode(workflow)
    due_ms = None if state.timer_id is None else snapshot.timers.get(state.timer_id)
    reasons = [tasks.why(facts, snapshot) for facts in snapshot.tasks]
    if state.phase is WorkflowPhase.HELD and state.problem:
        differs = f"the code differs from what is recorded: {state.problem}"
        said = any(reason.advice == CODE_DIFFERS for reason in reasons)
        reasons.append(Reason(code="version", text=differs, advice="" if said else CODE_DIFFERS))
    elif state.phase is WorkflowPhase.CANCELLING:
        reasons.append(_cancelling("the workflow", state.cancel_reason, due_ms))
    elif not snapshot.tasks:
        reasons += [_wait(row, snapshot) for row in snapshot.waits if not row.wait.is_of_cancel]
    return state.phase.name.lower(), tuple(reasons or (_stuck(workflow),))


def _wait(row: WaitRow, snapshot: Snapshot) -> Reason:
    wait = row.wait
    due_ms = None if row.timer_id is None else snapshot.timers.get(row.timer_id)
    until = "" if due_ms is None else f" until {rfc3339(due_ms)}"
    if wait.kind == "sleep":
        return Reason(
            code="timer", text=f"it sleeps{until} ({wait.name})", moving=True, until_ms=due_ms
        )
    if wait.child is not None and wait.child.workflow_id is not None:
        id_ = wait.child.workflow_id
        waits = f"it waits for its child {wait.name} ({to_wire(Prefix.WORKFLOW, id_)}){until}"
        return _child(waits, snapshot.children.get(id_), due_ms)
    return Reason(
        code=wait.kind,
        text=f"it waits for the {wait.kind} {wait.name}{until or ', however long'}",
        advice=f"Send the signal {wait.name} to it." if wait.kind == "signal" else "",
        until_ms=due_ms,
    )


def _child(waits: str, child: Explanation | None, due_ms: int | None) -> Reason:
    """It moves as its child does."""
    if child is None:
        advice = "Where that takes long, ask why that one does not move."
        return Reason(code="child", text=waits, advice=advice, moving=True, until_ms=due_ms)
    held = next((reason for reason in child.reasons if not reason.moving), None)
    return Reason(
        code="child",
        text=f"{waits}, which is {child.state}: {child.summary}",
        advice="" if held is None else held.advice,
        moving=child.moving,
        until_ms=due_ms,
    )


# ── what has ended, and sessions at rest ────────────────────────────────────────────────────────


def _ended(workflow: Workflow, letter: LetterView | None) -> Told:
    what = "the turn" if workflow.is_turn else "the workflow"
    state = workflow.outcome.name.lower()
    reasons = [Reason(code="ended", text=f"{what} has ended: {state}", moving=True)]
    if letter is not None:
        reasons.append(_letter(letter))
    return state, tuple(reasons)


def _letter(letter: LetterView) -> Reason:
    path = f"dead-letters/{to_wire(Prefix.TASK, letter.task_id)}"
    match letter.status:
        case "open" if letter.kind in ("workflow", "step"):
            fork = f"workflows/{to_wire(Prefix.WORKFLOW, letter.workflow_id)}/fork"
            advice = f"{_mended(letter)}, then POST {fork}; POST {path}/discard."
        case "open":
            advice = f"{_mended(letter)}, then POST {path}/requeue, or …/discard."
        case "refused":
            advice = f"It could not be requeued ({letter.refusal}): POST {path}/discard."
        case "requeueing":
            advice = "It is requeued when it is due."
        case _:
            advice = ""
    return Reason(
        code="dead_letter",
        text=f"its task was set aside as {letter.reason} ({letter.detail}); the dead letter is "
        f"{letter.status}",
        advice=advice,
        moving=letter.status in ("requeued", "requeueing", "discarded"),
        task_id=letter.task_id,
        since_ms=letter.died_ms,
        until_ms=letter.due_ms if letter.status == "requeueing" else None,
    )


def _mended(letter: LetterView) -> str:
    """What is to be done before it is tried again."""
    match letter.reason:
        case plain.EXHAUSTED:
            return "Mend what its attempts failed of"
        case loss.NO_PROGRESS:
            return "Start a worker that keeps it, or mend code that goes round and round"
        case _:
            return "Mend what kills the workers"


def _session(snapshot: Snapshot) -> Told:
    head = snapshot.head
    assert head is not None  # noqa: S101 - only a plain task has none
    if snapshot.messages:
        text = f"{snapshot.messages} messages wait and no turn takes them in"
        advice = "This is a bug: report it with the session's id; a new message starts a turn."
        return "idle", (Reason(code="stuck", text=text, advice=advice),)
    if head.paused:
        text = "the session is paused, because a budget is used up"
        return "paused", (Reason(code="budget", text=text, advice="Raise the budget."),)
    if head.status is SessionStatus.STARTED:
        text, advice = "no message was sent to the session yet", "Send one."
    else:
        text, advice = "no turn is running: the session waits for a message", ""
    reasons = [Reason(code="idle", text=text, advice=advice, moving=True)]
    workflow = snapshot.workflow
    if workflow is not None and snapshot.letter is not None:
        reasons.append(_letter(snapshot.letter))
    return head.status.wire, tuple(reasons)
