"""What a turn's calls have used: counted for the turn, and charged to its budgets."""

from uuid import UUID

from msgspec import structs

from mainspring_engine.domain import retry
from mainspring_engine.domain.changes import CloseTask
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.domain.texts import code, error
from mainspring_engine.domain.turn import spending
from mainspring_engine.domain.turn.state import Owed
from mainspring_engine.domain.turn.turn import Delivery, Turn
from mainspring_schema.events import Usage
from mainspring_schema.tasks import Failure, Judged, ReasonResult, ToolResult


def priced(turn: Turn, result: ReasonResult) -> ReasonResult:
    """With what it cost, where the models have a price: who answered, and who judged the answer."""
    usage = turn.agent.priced(result.usage, result.choice)
    judged, helpers = result.judged, result.helper_calls
    if judged is not None:
        usage = usage.plus(turn.agent.judged(judged.usage))
        helpers += judged.calls
    return structs.replace(result, usage=usage, judged=None, helper_calls=helpers)


def owe(turn: Turn, judged: Judged | None) -> None:
    """What judges of a tool's output used is told of this turn, and charged with a model call."""
    if judged is None:
        return
    usage = turn.agent.judged(judged.usage)
    owed = spending.amounts(usage, calls=judged.calls, duration_ms=judged.duration_ms)
    turn.update(usage=turn.state.usage.plus(usage), owed=turn.state.owed.plus(owed))


def charge(turn: Turn, delivery: Delivery, result: ToolResult) -> None:
    """A tool call has ended. It took what its worker says; of a lost attempt nobody says it."""
    if result.duration_ms:
        turn.plan.charges.append(spending.time_charge(delivery.task_id, result.duration_ms))


def count(turn: Turn, result: ReasonResult, delivery: Delivery) -> None:
    """A model call has ended, with what its failed attempts have used."""
    first = turn.state.first_token_ms
    if first is None and result.time_to_first_token_ms is not None:
        waited = turn.plan.now_ms - turn.workflow.started_ms - result.duration_ms
        first = max(0, waited) + result.time_to_first_token_ms
    _try(turn, result)
    settle(turn, delivery.task_id)
    turn.update(model_calls=turn.state.model_calls + 1, first_token_ms=first)


def settle(turn: Turn, task_id: UUID) -> None:
    """Charges a model call that makes no further attempt with what it has used so far."""
    tried = turn.state.tried
    used = spending.amounts(tried, calls=1, duration_ms=turn.state.tried_ms)
    turn.plan.charges.extend(spending.charges(task_id, used.plus(turn.state.owed)))
    turn.update(usage=turn.state.usage.plus(tried), tried=Usage(), tried_ms=0, owed=Owed())


def wait_ms(turn: Turn, failure: Failure, *, failures: int, draw: float) -> int | None:
    """Until the next attempt; None where there is none."""
    models = turn.agent.models
    return retry.delay_ms(failure, failures=failures, draw=draw, models=models)


def try_again(
    turn: Turn, delivery: Delivery, result: ReasonResult, failure: Failure, delay_ms: int
) -> None:
    """The attempt failed, and another one follows."""
    _try(turn, result)
    turn.plan.closes.append(
        CloseTask(
            task_id=delivery.task_id,
            fence=delivery.fence,
            expected=TaskState.LEASED,
            closing=Closing.RETRIED,
            result_hash=delivery.hash,
            error_code=code(failure.code),
            error_message=error(failure.message),
            error_class=failure.error_class,
            delay_ms=delay_ms,
            counts_failure=True,
        )
    )
    turn.save()


def _try(turn: Turn, result: ReasonResult) -> None:
    turn.update(
        tried=turn.state.tried.plus(result.usage),
        tried_ms=turn.state.tried_ms + result.duration_ms,
        owed=turn.state.owed.plus(Owed(calls=result.helper_calls)),
    )
