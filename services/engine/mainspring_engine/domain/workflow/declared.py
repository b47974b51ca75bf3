"""The machine of declared workflows: the engine runs the declaration, each step is a task. Pure.

What a finished step makes possible begins in the same decision, and so in the same commit. A step
that fails for good ends the workflow, and everything else of it that is under way.
"""

from itertools import islice
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import Config, NewTask
from mainspring_engine.domain.intents import Answered
from mainspring_engine.domain.limits import DECLARATION_OPEN_MAX, PLAIN_FAILURES_MAX
from mainspring_engine.domain.plain import route_of
from mainspring_engine.domain.routes import given_in, keys_under
from mainspring_engine.domain.rows import Effect, OpenTask, TaskKind
from mainspring_engine.domain.workflow import (
    cancelling,
    children,
    forking,
    grounds,
    outcomes,
    pausing,
    waiting,
)
from mainspring_engine.domain.workflow.charts import Chart, Unfit
from mainspring_engine.domain.workflow.ending import arm_deadline, cancelled, fail, stop_children
from mainspring_engine.domain.workflow.filling import Values, filled, joined
from mainspring_engine.domain.workflow.going import PRIORITY, Going, cut, value
from mainspring_engine.domain.workflow.state import Course, Phase
from mainspring_kernel.errors import Conflict, ValidationFailed
from mainspring_schema.codec import pack
from mainspring_schema.declarations import DeclaredStep, check_new, hash_of, read, version_of
from mainspring_schema.tasks import PlainResult, StepTask, WorkflowResult
from mainspring_schema.workflows import Flaw, Fork, SignalWorkflow

# ── what can happen to it ───────────────────────────────────────────────────────────────────────


def begin(going: Going, raw: bytes, fork: Fork | None) -> None:
    """The first steps, from what its start brought along, or those that a fork does anew.

    Raises ValidationFailed, and Conflict where what the fork keeps does not fit.
    """
    try:
        _set_out(going, raw, fork)
    except (ValueError, Unfit) as error:
        detail = f"the declaration cannot be run with this input: {error}"
        raise ValidationFailed(detail) from error


def take_over(going: Going, raw: bytes) -> None:
    """The same of one that was started by its name: a worker said what is to be done."""
    going.emit("workflow.declared", {"version": version_of(hash_of(raw))})
    try:
        if not going.materials.recall.is_kept(hash_of(raw)):
            check_new(read(raw))
        _set_out(going, raw, None)
    except pausing.TooDeep as error:
        fail(going, Flaw(code=error.code, message=str(error)))
    except (ValueError, Unfit) as error:
        fail(going, Flaw(code="invalid_declaration", message=str(error)))


def answered(going: Going, intent: Answered, number: int, result: PlainResult) -> None:
    """An attempt at a step ended."""
    again = result.retry_ms is not None and intent.failures + 1 < PLAIN_FAILURES_MAX
    if result.flaw is not None and again:
        outcomes.again(going, intent, result)
    elif result.flaw is not None:
        others = going.open_tasks(but=intent.held.task_id)
        outcomes.close(going, intent, number, result)
        name = grounds.chart(going).step(number).step
        said = f"step {number} ({name}): {result.flaw.message}"
        outcomes.give_up(going, msgspec.structs.replace(result.flaw, message=said), others)
    else:
        _went_well(going, intent, number, result)


def cancel(going: Going, reason: str | None, tasks: tuple[OpenTask, ...]) -> None:
    """Its steps end at once: they may be repeated, so nobody has to be waited for.

    Their workers are told. Its children are told to stop, and waited for until a deadline.
    """
    if going.state.phase is Phase.CANCELLING:
        return
    left = stop_children(going) if going.state.waits else ()
    outcomes.close_all(going, tasks)
    going.update(phase=Phase.CANCELLING, cancel_reason=cut(reason or "user"))
    if not left:
        cancelled(going)
        return
    for row in waiting.rows(going).waits:
        if row.wait.child is None:
            waiting.drop(going, row)
    arm_deadline(going)
    going.save()


def died(going: Going, task: OpenTask) -> None:
    """A step killed its workers, or never reached one."""
    others = going.open_tasks(but=task.id)
    outcomes.give_up(going, going.plan.set_aside(task, going.workflow.id), others)


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
    if going.state.phase is Phase.CANCELLING:
        cancelling.stopped(going)
    elif wait.kind == "sleep":
        _came(going, number, others)
    else:
        said = f"step {number}: the {wait.kind} {wait.name} did not come in time"
        # With a type: to who waits for it as for a child, it has failed, and did not come late.
        flaw = Flaw(code="timeout", message=said, type="TimeoutError")
        outcomes.give_up(going, flaw, others)
    return True


def child_ended(
    going: Going, child_id: UUID, result: WorkflowResult, others: tuple[OpenTask, ...]
) -> None:
    """`others` are its open tasks. Nobody may wait for that child any more."""
    row, flaw = waiting.row_of(going, child_id), children.flaw_of(result)
    waiting.child_ended(going, child_id, result)
    if going.state.phase is Phase.CANCELLING:
        cancelling.stopped(going)
    elif row is None:
        going.save()
    elif flaw is None:
        _came(going, int(row.wait.step), others)
    else:
        said = f"step {row.wait.step} (child {row.wait.name}): {flaw.message}"
        outcomes.give_up(going, msgspec.structs.replace(flaw, message=said), others)


# ── going on ────────────────────────────────────────────────────────────────────────────────────


def _set_out(going: Going, raw: bytes, fork: Fork | None) -> None:
    """Raises ValueError, Unfit, Conflict."""
    known = going.materials.recall.chart(hash_of(raw))
    chart = Chart(raw) if known is None else known
    course = Course(declaration=chart.hash)
    if fork is not None:
        course = forking.taken_over(going, chart, course, fork)
    values = grounds.values(going, chart, None)
    course, begun = _settle(going, chart, course, values)
    if not going.materials.recall.is_kept(chart.hash):
        going.plan.configs.append(
            Config(hash=chart.hash, org_id=going.workflow.org_id, body=chart.raw)
        )
    if course.finished == chart.everything:
        outcomes.complete_alone(going, course, filled(chart.declaration.result, values))
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
    begun: list[grounds.Next] = []
    # What lies there may be taken below, and nothing may raise NotYet after that.
    moves = going.state.signals or chart.starts_children
    others = going.open_tasks(but=intent.held.task_id) if moves else None
    try:
        values = grounds.values(going, chart, ended)
        course, begun = _settle(going, chart, course, values)
        if course.finished == chart.everything:
            outcomes.complete(going, intent, ended, filled(chart.declaration.result, values))
            return
    except Unfit as error:
        if others is None:
            others = going.open_tasks(but=intent.held.task_id)
        outcomes.close(going, intent, number, result)
        outcomes.give_up(going, Flaw(code=error.code, message=str(error)), others)
        return
    outcomes.close(going, intent, number, result)
    _go_on(going, chart, course, begun)


def _came(going: Going, number: int, others: tuple[OpenTask, ...]) -> None:
    """What a step waited for came to pass; its record is in the plan."""
    chart, course = grounds.chart(going), pausing.over(grounds.course(going), number)
    try:
        values = grounds.values(going, chart, None)
        course, begun = _settle(going, chart, course, values)
        raw = b""
        if course.finished == chart.everything:
            raw = filled(chart.declaration.result, values)
    except Unfit as error:
        outcomes.give_up(going, Flaw(code=error.code, message=str(error)), others)
        return
    if raw:
        outcomes.complete_alone(going, course, raw)
    else:
        _go_on(going, chart, course, begun)


def _settle(
    going: Going, chart: Chart, course: Course, values: Values
) -> tuple[Course, list[grounds.Next]]:
    """What can begin, past the steps that have nothing to wait for. Raises Unfit."""
    inputs: dict[int, bytes] = {}
    while True:
        begun = _able(going, chart, course, values, inputs)
        came = [one.number for one in begun if pausing.has_come(going, chart, one)]
        if not came:
            return course, begun
        for number in came:
            course = pausing.over(course, number)


def _able(
    going: Going, chart: Chart, course: Course, values: Values, inputs: dict[int, bytes]
) -> list[grounds.Next]:
    """The steps that can begin now; `inputs` are those that were filled before. Raises Unfit."""
    under_way = (*(number for number, _ in course.open), *course.waits)
    bits = sum(1 << (number - 1) for number in under_way)
    room = max(0, DECLARATION_OPEN_MAX - len(under_way))
    numbers = tuple(islice(chart.able(done=course.finished, begun=bits), room))
    values.prepare(chart.step(number).arguments for number in numbers if number not in inputs)
    for number in numbers:
        pausing.check_depth(going, chart.step(number))
        if number not in inputs:
            inputs[number] = _input(chart, number, values)
    return [grounds.Next(number, inputs[number]) for number in numbers]


def _input(chart: Chart, number: int, values: Values) -> bytes:
    try:
        return joined(chart.step(number).arguments, values)
    except Unfit as error:
        message = f"step {number} ({chart.step(number).step}): {error}"
        raise Unfit(message) from error


def _go_on(going: Going, chart: Chart, course: Course, begun: list[grounds.Next]) -> None:
    fresh: list[tuple[int, bytes]] = []
    course = pausing.arm(going, chart, course, begun)
    for one in begun:
        if chart.step(one.number).wait is not None:
            continue
        task_id = going.ids.uuid7()
        fresh.append((one.number, task_id.bytes))
        going.plan.tasks.append(_task(going, chart, task_id, one))
    going.update(
        course=msgspec.structs.replace(course, open=(*course.open, *fresh)),
        phase=Phase.RUNNING if course.open or fresh else Phase.WAITING,
        goes=going.state.goes + len(fresh),
        task_id=None,
    )
    going.save()


def _keys(going: Going, step: DeclaredStep) -> tuple[str, ...]:
    """A workflow without code counts under its keys while a step of it is at work."""
    keys, circuit = given_in(going.state.keys)
    return keys_under((*step.keys, *keys), step.circuit or circuit)


def _task(going: Going, chart: Chart, task_id: UUID, begun: grounds.Next) -> NewTask:
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
            _keys(going, step),
        ),
        priority=PRIORITY,
        effect=Effect.IDEMPOTENT,
        step=place,
        payload=pack(payload),
    )
