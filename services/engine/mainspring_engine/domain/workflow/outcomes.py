"""What follows from the end of an attempt at a declared step. Pure."""

import hashlib

import msgspec

from mainspring_engine.domain.changes import CloseTask, RecordStep, StepResult
from mainspring_engine.domain.intents import Answered
from mainspring_engine.domain.rows import Closing, OpenTask, Outcome, TaskState
from mainspring_engine.domain.texts import code, error
from mainspring_engine.domain.workflow import grounds
from mainspring_engine.domain.workflow.ending import end, fail
from mainspring_engine.domain.workflow.going import OUTCOME_STEP, Going, flaw_view, value
from mainspring_engine.domain.workflow.state import Course
from mainspring_schema.codec import pack
from mainspring_schema.tasks import PlainResult, WorkflowResult
from mainspring_schema.workflows import Flaw


def again(going: Going, intent: Answered, result: PlainResult) -> None:
    """The task waits for its next attempt; nothing else of the workflow changes."""
    going.plan.closes.append(
        CloseTask(
            task_id=intent.held.task_id,
            fence=intent.held.fence,
            expected=TaskState.LEASED,
            closing=Closing.RETRIED,
            result_hash=intent.hash,
            error_code="" if result.flaw is None else code(result.flaw.code),
            error_message="" if result.flaw is None else error(result.flaw.message),
            delay_ms=result.retry_ms,
            counts_failure=True,
        )
    )


def close(going: Going, intent: Answered, number: int, result: PlainResult) -> None:
    """Keeps what its worker brought, as it came, and tells it."""
    held, flaw, place = intent.held, result.flaw, str(number)
    going.plan.closes.append(
        CloseTask(
            task_id=held.task_id,
            fence=held.fence,
            expected=TaskState.LEASED,
            closing=Closing.RESULT if flaw is None else Closing.FAILED,
            result_hash=intent.hash,
            error_code="" if flaw is None else code(flaw.code),
            error_message="" if flaw is None else error(flaw.message),
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


def complete(going: Going, intent: Answered, ended: grounds.Ended, raw: bytes) -> None:
    """The last step's attempt brings the workflow's own result as well."""
    close(going, intent, ended.number, PlainResult(result=ended.result))
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


def complete_alone(going: Going, course: Course, raw: bytes) -> None:
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
    close_all(going, others)
    fail(going, flaw)


def close_all(going: Going, tasks: tuple[OpenTask, ...]) -> None:
    for task in tasks:
        going.cancel_unheld(task)
    going.update(course=msgspec.structs.replace(grounds.course(going), open=(), waits=()))
