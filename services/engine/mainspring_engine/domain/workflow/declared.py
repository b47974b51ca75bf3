"""The machine of declared workflows: the engine runs the declaration, each step is a task. Pure.

What a finished step makes possible begins in the same decision, and so in the same commit. A step
that fails for good ends the workflow, and whatever else of it is under way.
"""

import hashlib
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import CloseTask, Config, DeadLetter, NewTask, StepResult
from mainspring_engine.domain.intents import Answered
from mainspring_engine.domain.loss import why_quarantined
from mainspring_engine.domain.plain import route_of
from mainspring_engine.domain.routes import keys_under
from mainspring_engine.domain.rows import Closing, Effect, OpenTask, Outcome, TaskKind, TaskState
from mainspring_engine.domain.workflow.charts import Chart, Lookup, Unfit, filled, given
from mainspring_engine.domain.workflow.ending import end, fail
from mainspring_engine.domain.workflow.going import (
    OUTCOME_STEP,
    PRIORITY,
    Going,
    flaw_view,
    value,
)
from mainspring_engine.domain.workflow.state import Course
from mainspring_kernel.declaration_limits import DECLARATION_OPEN_MAX
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.plain_limits import PLAIN_FAILURES_MAX
from mainspring_schema.codec import pack
from mainspring_schema.declarations import OfInput, OfStep, hash_of, version_of
from mainspring_schema.tasks import PlainResult, StepTask, WorkflowResult
from mainspring_schema.workflows import INPUT_STEP, Flaw, StepRecord

_RESULT: Final = msgspec.msgpack.Decoder(PlainResult)
_RECORD: Final = msgspec.msgpack.Decoder(StepRecord)


class _Next(NamedTuple):
    """A step that begins, with its arguments."""

    number: int
    input: bytes


class _Ended(NamedTuple):
    """A step that has finished, which no row says yet."""

    number: int
    result: bytes


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
        name = _chart(going).step(number).step
        said = f"step {number} ({name}): {result.flaw.message}"
        _give_up(going, msgspec.structs.replace(result.flaw, message=said), others)
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
    _give_up(going, Flaw(code="poison", message=detail), others)


# ── going on ────────────────────────────────────────────────────────────────────────────────────


def _set_out(going: Going, raw: bytes) -> None:
    """Raises ValueError, Unfit; nothing was added then."""
    known = going.materials.recall.chart(hash_of(raw))
    chart = Chart(raw) if known is None else known
    begun = _able(going, chart, Course(declaration=chart.hash), None)
    if not going.materials.recall.is_kept(chart.hash):
        going.plan.configs.append(
            Config(hash=chart.hash, org_id=going.workflow.org_id, body=chart.raw)
        )
    _go_on(going, chart, Course(declaration=chart.hash), begun)


def _went_well(going: Going, intent: Answered, number: int, result: PlainResult) -> None:
    chart, course = _chart(going), _without(_course(going), intent.held.task_id)
    done = course.finished | 1 << (number - 1)
    course = msgspec.structs.replace(course, done=_bits(done))
    ended = _Ended(number, result.result)
    begun: list[_Next] = []
    try:
        if done == chart.everything:
            look_up = _values(going, chart, ended)
            _complete(going, intent, ended, filled(chart.declaration.result, look_up))
            return
        begun = _able(going, chart, course, ended)
    except Unfit as error:
        others = going.open_tasks(but=intent.held.task_id)
        _close(going, intent, number, result)
        _give_up(going, Flaw(code="unfit_value", message=str(error)), others)
        return
    _close(going, intent, number, result)
    _go_on(going, chart, course, begun)


def _able(going: Going, chart: Chart, course: Course, ended: _Ended | None) -> list[_Next]:
    """The steps that can begin now. Raises Unfit."""
    look_up = _values(going, chart, ended)
    under_way = sum(1 << (number - 1) for number, _ in course.open)
    found: list[_Next] = []
    for number in chart.able(done=course.finished, begun=under_way):
        if len(course.open) + len(found) >= DECLARATION_OPEN_MAX:
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
    for number, input_ in begun:
        task_id = going.ids.uuid7()
        fresh.append((number, task_id.bytes))
        going.plan.tasks.append(_task(going, chart, task_id, _Next(number, input_)))
    going.update(
        course=msgspec.structs.replace(course, open=(*course.open, *fresh)),
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
        "name": _chart(going).step(number).step,
        "kind": "step",
        "attempts": intent.failures + 1,
    }
    outcome = value("result", result.result) if flaw is None else {"error": flaw_view(flaw)}
    going.emit("step.completed", told | outcome)


def _complete(going: Going, intent: Answered, ended: _Ended, raw: bytes) -> None:
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
    going.update(course=Course(declaration=_course(going).declaration, done=_all(going)))
    end(going, Outcome.COMPLETED, result)


def _give_up(going: Going, flaw: Flaw, others: tuple[OpenTask, ...]) -> None:
    _close_all(going, others)
    fail(going, flaw)


def _close_all(going: Going, tasks: tuple[OpenTask, ...]) -> None:
    for task in tasks:
        going.close_unheld(task)
    going.update(course=msgspec.structs.replace(_course(going), open=()))


# ── what it rests on ────────────────────────────────────────────────────────────────────────────


def _values(going: Going, chart: Chart, ended: _Ended | None) -> Lookup:
    parameters: dict[str, bytes] = {}

    def look_up(reference: OfInput | OfStep) -> bytes:
        if isinstance(reference, OfStep):
            if ended is not None and reference.step == ended.number:
                return ended.result
            return _RESULT.decode(_body(going, str(reference.step))).result
        if not parameters:
            record = _RECORD.decode(_body(going, INPUT_STEP))
            parameters.update(given(chart.declaration, record.result))
        return parameters[reference.name]

    return look_up


def _body(going: Going, place: str) -> bytes:
    """Of a record or a result: this plan's own, or a committed one."""
    for row in (*going.plan.results, *going.plan.steps):
        if row.step == place:
            return row.body
    return going.materials.value(going.workflow.id, place)


def _chart(going: Going) -> Chart:
    return going.materials.chart(_course(going).declaration)


def _course(going: Going) -> Course:
    course = going.state.course
    assert course is not None  # noqa: S101 - nothing else comes here
    return course


def _without(course: Course, task_id: UUID) -> Course:
    left = tuple(one for one in course.open if one[1] != task_id.bytes)
    return msgspec.structs.replace(course, open=left)


def _bits(done: int) -> bytes:
    return done.to_bytes((done.bit_length() + 7) // 8, "little")


def _all(going: Going) -> bytes:
    return _bits(_chart(going).everything)
