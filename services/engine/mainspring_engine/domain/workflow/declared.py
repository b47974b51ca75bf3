"""The machine of declared workflows: the engine runs the declaration, each step is a task. Pure.

What a finished step makes possible begins in the same decision, and so in the same commit. A step
that fails for good ends the workflow, and whatever else of it is under way.
"""

import hashlib
from typing import NamedTuple
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import (
    CloseTask,
    Config,
    DeadLetter,
    NewTask,
    RecordStep,
    StepResult,
)
from mainspring_engine.domain.intents import Answered
from mainspring_engine.domain.loss import why_quarantined
from mainspring_engine.domain.plain import route_of
from mainspring_engine.domain.routes import keys_under
from mainspring_engine.domain.rows import Closing, Effect, OpenTask, Outcome, TaskKind, TaskState
from mainspring_engine.domain.workflow import grounds, pausing, waiting
from mainspring_engine.domain.workflow.charts import Chart, Lookup, Unfit, filled
from mainspring_engine.domain.workflow.ending import end, fail
from mainspring_engine.domain.workflow.going import (
    OUTCOME_STEP,
    PRIORITY,
    Going,
    flaw_view,
    value,
)
from mainspring_engine.domain.workflow.state import Course, Phase
from mainspring_kernel.declaration_limits import DECLARATION_OPEN_MAX
from mainspring_kernel.errors import Conflict, ValidationFailed
from mainspring_kernel.plain_limits import PLAIN_FAILURES_MAX
from mainspring_schema.codec import pack
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.tasks import PlainResult, StepTask, WorkflowResult
from mainspring_schema.workflows import Flaw, SignalWorkflow


class _Next(NamedTuple):
    """A step that begins, with its arguments."""

    number: int
    input: bytes


# ── what can happen to it ───────────────────────────────────────────────────────────────────────


def begin(going: Going, raw: bytes) -> None:
    """The first steps, from what its start brought along. Raises ValidationFailed."""
    try:
        _set_out(going, raw)
    except (ValueError, Unfit) as error:
        detail = f"the declaration cannot be run with this input: {error}"
        raise ValidationFailed(detail) from error


def take_over(going: Going, raw: bytes) -> None:
    """The same of one that was started by its name: a worker said what is to be done."""
    going.emit("workflow.declared", {"version": version_of(hash_of(raw))})
    try:
        _set_out(going, raw)
    except (ValueError, Unfit) as error:
        fail(going, Flaw(code="invalid_declaration", message=str(error)))


def answered(going: Going, intent: Answered, number: int, result: PlainResult) -> None:
    """An attempt at a step ended."""
    again = result.retry_ms is not None and intent.failures + 1 < PLAIN_FAILURES_MAX
    if result.flaw is not None and again:
        _again(going, intent, result)
    elif result.flaw is not None:
        others = going.open_tasks(but=intent.held.task_id)
        _close(going, intent, number, result)
        name = grounds.chart(going).step(number).step
        said = f"step {number} ({name}): {result.flaw.message}"
        give_up(going, msgspec.structs.replace(result.flaw, message=said), others)
    else:
        _went_well(going, intent, number, result)


def cancel(going: Going, reason: str | None, tasks: tuple[OpenTask, ...]) -> None:
    """At once: a step may be repeated, so nobody has to be waited for. Its workers are told."""
    _close_all(going, tasks)
    going.emit("workflow.cancelled", {"reason": reason or "user"})
    end(going, Outcome.CANCELLED, WorkflowResult(outcome="cancelled"))


def died(going: Going, task: OpenTask) -> None:
    """A step killed its workers, or never reached one."""
    others = going.open_tasks(but=task.id)
    detail = why_quarantined(task)
    going.plan.closes.append(
        CloseTask(
            task_id=task.id,
            fence=task.fence,
            expected=task.state,
            closing=Closing.QUARANTINED,
            error_code="poison",
            counts_death=True,
        )
    )
    going.plan.dead_letters.append(
        DeadLetter(task_id=task.id, workflow_id=going.workflow.id, reason="poison", detail=detail)
    )
    give_up(going, Flaw(code="poison", message=detail), others)


def signalled(going: Going, command: SignalWorkflow) -> None:
    """Raises Conflict where no step of it waits for such a signal."""
    steps = grounds.chart(going).declaration.steps
    if not any(pausing.is_for(step, command.name) for step in steps):
        detail = f"no step of this declared workflow waits for the signal {command.name}"
        raise Conflict(detail)
    others = going.open_tasks()
    payload = value("payload", command.payload)
    going.emit("workflow.signalled", waiting.signal_view(command) | payload)
    row = waiting.signalled(going, command)
    if row is None:
        going.save()
    else:
        _came(going, int(row.wait.step), others)


def wait_over(going: Going, timer_id: UUID) -> bool:
    """A timer of a wait is due; False where it waits no more."""
    row = next((r for r in waiting.rows(going).waits if r.timer_id == timer_id), None)
    if row is None:
        return False
    number, wait = int(row.wait.step), row.wait
    others = going.open_tasks()
    waiting.over(going, row)
    if wait.kind == "sleep":
        _came(going, number, others)
    else:
        said = f"step {number}: the signal {wait.name} did not come in time"
        give_up(going, Flaw(code="timeout", message=said), others)
    return True


# ── going on ────────────────────────────────────────────────────────────────────────────────────


def _set_out(going: Going, raw: bytes) -> None:
    """Raises ValueError, Unfit; nothing was added then."""
    known = going.materials.recall.chart(hash_of(raw))
    chart = Chart(raw) if known is None else known
    course, begun = _settle(going, chart, Course(declaration=chart.hash), None)
    if not going.materials.recall.is_kept(chart.hash):
        going.plan.configs.append(
            Config(hash=chart.hash, org_id=going.workflow.org_id, body=chart.raw)
        )
    if course.finished == chart.everything:
        raw = filled(chart.declaration.result, grounds.values(going, chart, None))
        _complete_alone(going, course, raw)
        return
    _go_on(going, chart, course, begun)


def _went_well(going: Going, intent: Answered, number: int, result: PlainResult) -> None:
    chart, course = (
        grounds.chart(going),
        grounds.without(grounds.course(going), intent.held.task_id),
    )
    done = course.finished | 1 << (number - 1)
    course = msgspec.structs.replace(course, done=grounds.bits(done))
    ended = grounds.Ended(number, result.result)
    begun: list[_Next] = []
    # What lies there may be taken below, and nothing may raise NotYet after that.
    others = going.open_tasks(but=intent.held.task_id) if going.state.signals else None
    try:
        course, begun = _settle(going, chart, course, ended)
        if course.finished == chart.everything:
            look_up = grounds.values(going, chart, ended)
            _complete(going, intent, ended, filled(chart.declaration.result, look_up))
            return
    except Unfit as error:
        if others is None:
            others = going.open_tasks(but=intent.held.task_id)
        _close(going, intent, number, result)
        give_up(going, Flaw(code="unfit_value", message=str(error)), others)
        return
    _close(going, intent, number, result)
    _go_on(going, chart, course, begun)


def _came(going: Going, number: int, others: tuple[OpenTask, ...]) -> None:
    """What a step waited for came to pass; its record is in the plan."""
    chart, course = grounds.chart(going), pausing.over(grounds.course(going), number)
    try:
        course, begun = _settle(going, chart, course, None)
        raw = b""
        if course.finished == chart.everything:
            raw = filled(chart.declaration.result, grounds.values(going, chart, None))
    except Unfit as error:
        give_up(going, Flaw(code="unfit_value", message=str(error)), others)
        return
    if raw:
        _complete_alone(going, course, raw)
    else:
        _go_on(going, chart, course, begun)


def _settle(
    going: Going, chart: Chart, course: Course, ended: grounds.Ended | None
) -> tuple[Course, list[_Next]]:
    """What can begin, past the steps whose signal lies there already. Raises Unfit."""
    while True:
        begun = _able(going, chart, course, ended)
        came = [n for n, _ in begun if pausing.has_come(going, chart, n)]
        if not came:
            return course, begun
        for number in came:
            course = pausing.over(course, number)


def _able(going: Going, chart: Chart, course: Course, ended: grounds.Ended | None) -> list[_Next]:
    """The steps that can begin now. Raises Unfit."""
    look_up = grounds.values(going, chart, ended)
    under_way = sum(1 << (number - 1) for number in (*(n for n, _ in course.open), *course.waits))
    found: list[_Next] = []
    for number in chart.able(done=course.finished, begun=under_way):
        if len(course.open) + len(course.waits) + len(found) >= DECLARATION_OPEN_MAX:
            break
        found.append(_Next(number, _input(chart, number, look_up)))
    return found


def _input(chart: Chart, number: int, look_up: Lookup) -> bytes:
    try:
        return filled(chart.step(number).arguments, look_up)
    except Unfit as error:
        message = f"step {number} ({chart.step(number).step}): {error}"
        raise Unfit(message) from error


def _go_on(going: Going, chart: Chart, course: Course, begun: list[_Next]) -> None:
    fresh: list[tuple[int, bytes]] = []
    course = pausing.arm(going, chart, course, [number for number, _ in begun])
    for number, input_ in begun:
        if chart.step(number).wait is not None:
            continue
        task_id = going.ids.uuid7()
        fresh.append((number, task_id.bytes))
        going.plan.tasks.append(_task(going, chart, task_id, _Next(number, input_)))
    going.update(
        course=msgspec.structs.replace(course, open=(*course.open, *fresh)),
        phase=Phase.RUNNING if course.open or fresh else Phase.WAITING,
        goes=going.state.goes + len(fresh),
        task_id=None,
    )
    going.save()


def _task(going: Going, chart: Chart, task_id: UUID, begun: _Next) -> NewTask:
    step, place = chart.step(begun.number), str(begun.number)
    queue = step.queue or going.state.queue
    payload = StepTask(
        workflow_id=going.workflow.id, step=place, task_type=step.step, input=begun.input
    )
    return NewTask(
        id=task_id,
        workflow_id=going.workflow.id,
        kind=TaskKind.STEP,
        route=route_of(
            queue,
            step.step,
            going.state.build_on(queue),
            keys_under(step.keys, step.circuit),
        ),
        priority=PRIORITY,
        effect=Effect.IDEMPOTENT,
        step=place,
        payload=pack(payload),
    )


# ── ends of steps ───────────────────────────────────────────────────────────────────────────────


def _again(going: Going, intent: Answered, result: PlainResult) -> None:
    """The task waits for its next attempt; nothing else of the workflow changes."""
    going.plan.closes.append(
        CloseTask(
            task_id=intent.held.task_id,
            fence=intent.held.fence,
            expected=TaskState.LEASED,
            closing=Closing.RETRIED,
            result_hash=intent.hash,
            error_code="" if result.flaw is None else result.flaw.code,
            delay_ms=result.retry_ms,
            counts_failure=True,
        )
    )


def _close(going: Going, intent: Answered, number: int, result: PlainResult) -> None:
    """Keeps what its worker brought, as it came, and tells it."""
    held, flaw, place = intent.held, result.flaw, str(number)
    going.plan.closes.append(
        CloseTask(
            task_id=held.task_id,
            fence=held.fence,
            expected=TaskState.LEASED,
            closing=Closing.RESULT if flaw is None else Closing.FAILED,
            result_hash=intent.hash,
            error_code="" if flaw is None else flaw.code,
        )
    )
    going.plan.results.append(
        StepResult(
            workflow_id=going.workflow.id,
            step=place,
            task_id=held.task_id,
            fence=held.fence,
            body=intent.body,
            hash=intent.hash,
        )
    )
    told: dict[str, object] = {
        "step": place,
        "name": grounds.chart(going).step(number).step,
        "kind": "step",
        "attempts": intent.failures + 1,
    }
    outcome = value("result", result.result) if flaw is None else {"error": flaw_view(flaw)}
    going.emit("step.completed", told | outcome)


def _complete(going: Going, intent: Answered, ended: grounds.Ended, raw: bytes) -> None:
    """The last step's attempt brings the workflow's own result as well."""
    _close(going, intent, ended.number, PlainResult(result=ended.result))
    result = WorkflowResult(outcome="completed", result=raw)
    body = pack(result)
    going.plan.results.append(
        StepResult(
            workflow_id=going.workflow.id,
            step=OUTCOME_STEP,
            task_id=intent.held.task_id,
            fence=intent.held.fence,
            body=body,
            hash=hashlib.sha256(body).digest(),
        )
    )
    going.emit("workflow.completed", value("result", raw))
    done = grounds.bits(grounds.chart(going).everything)
    going.update(course=Course(declaration=grounds.course(going).declaration, done=done))
    end(going, Outcome.COMPLETED, result)


def _complete_alone(going: Going, course: Course, raw: bytes) -> None:
    """What came last was no task: no attempt stands behind the workflow's own result."""
    result = WorkflowResult(outcome="completed", result=raw)
    going.plan.steps.append(
        RecordStep(
            workflow_id=going.workflow.id,
            step=OUTCOME_STEP,
            task_id=going.workflow.id,
            fence=0,
            input_hash=b"",
            body=pack(result),
        )
    )
    going.emit("workflow.completed", value("result", raw))
    going.update(course=course)
    end(going, Outcome.COMPLETED, result)


def give_up(going: Going, flaw: Flaw, others: tuple[OpenTask, ...]) -> None:
    """Fails, and what is open of it is closed."""
    _close_all(going, others)
    fail(going, flaw)


def _close_all(going: Going, tasks: tuple[OpenTask, ...]) -> None:
    for task in tasks:
        going.close_unheld(task)
    going.update(course=msgspec.structs.replace(grounds.course(going), open=(), waits=()))
