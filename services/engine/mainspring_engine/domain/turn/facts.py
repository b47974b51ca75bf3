"""The data of a turn's events, in the words and shapes of the wire."""

from uuid import UUID

from mainspring_engine.domain.rows import InboxRow
from mainspring_engine.domain.turn.agent import TurnAgent
from mainspring_engine.domain.turn.state import TurnState
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.appeals import (
    Answerer,
    AnswerStatus,
    ApprovalResolved,
    Leave,
    QuestionAnswered,
    Ruling,
)
from mainspring_schema.codec import write_foreign
from mainspring_schema.events import OutputMessageCompleted, ReasonStarted, ToolCompleted
from mainspring_schema.messages import ContentPart, Json, Message, TextPart, ToolCallPart
from mainspring_schema.tasks import Failure, ReasonResult, ToolCall, ToolResult

PREVIEW_CHARS_MAX = 200
"""Of a text shown in a list or a summary."""


def message_id(id_: UUID) -> str:
    return to_wire(Prefix.MESSAGE, id_)


def turn_id(id_: UUID) -> str:
    return to_wire(Prefix.TURN, id_)


def task_id(id_: UUID) -> str:
    return to_wire(Prefix.TASK, id_)


def turn_started(turn: UUID, message: Message | None, input_id: UUID, agent: TurnAgent) -> Json:
    data: Json = {"turn_id": turn_id(turn), "input_message_id": message_id(input_id)}
    if message is not None:
        data["input_content"] = message.content
    if agent.agent_id is not None:
        data["agent_id"] = agent.agent_id
    if agent.agent_name is not None:
        data["agent_name"] = agent.agent_name
    if agent.agent_description is not None:
        data["agent_description"] = agent.agent_description
    return data


def reason_started(
    message: UUID, iteration: int, agent: TurnAgent, taken: tuple[InboxRow, ...]
) -> ReasonStarted:
    return ReasonStarted(
        harness_id=agent.harness_id,
        agent_id=agent.agent_id,
        metadata=agent.model,
        iteration=iteration,
        message_id=message_id(message),
        consumed=tuple(message_id(row.message_id) for row in taken),
    )


def message_started(turn: UUID, message: UUID, iteration: int, agent: TurnAgent) -> Json:
    return {
        "turn_id": turn_id(turn),
        "message_id": message_id(message),
        "iteration": iteration,
        "model": agent.model.model,
    }


def generation(result: ReasonResult, agent: TurnAgent, *, through_seq: int) -> Json:
    """The model call as it was.

    The request is named by hash and position, not repeated: a copy of the whole prompt in every
    event would make a turn's cost grow with the session.
    """
    asked = agent.asked(result.choice)
    metadata: Json = {
        "model": result.response_model or asked.metadata.model,
        "provider": asked.provider,
        "success": result.failure is None,
        "duration_ms": result.duration_ms,
        "usage": result.usage.wire(),
    }
    if result.time_to_first_token_ms is not None:
        metadata["time_to_first_token_ms"] = result.time_to_first_token_ms
    if result.finish_reason is not None:
        metadata["finish_reasons"] = [result.finish_reason]
    if result.response_id is not None:
        metadata["response_id"] = result.response_id
    if result.failure is not None:
        metadata["error"] = result.failure.message
    return {
        "messages": [],
        "request": {
            "hash": result.request_hash.hex(),
            "message_count": result.message_count,
            "through_sequence": through_seq,
            "config_hash": agent.config_hash.hex(),
        },
        "tools": [{"name": name} for name in result.tools],
        "output": {
            "text": result.text,
            "tool_calls": [call_view(call) for call in result.tool_calls],
        },
        "metadata": metadata,
    }


def call_view(call: ToolCall) -> Json:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def call_summary(call: ToolCall) -> Json:
    summary: Json = {"id": call.id, "name": call.name}
    if call.display_name is not None:
        summary["display_name"] = call.display_name
    if call.narration is not None:
        summary["narration"] = call.narration
    return summary


def answer(
    result: ReasonResult, message: UUID, agent: TurnAgent, *, now_ms: int
) -> OutputMessageCompleted:
    """The finished message of one model call, text first, then its tool calls."""
    text: tuple[ContentPart, ...] = (TextPart(text=result.text),) if result.text else ()
    calls = tuple(
        ToolCallPart(id=call.id, name=call.name, arguments=call.arguments)
        for call in result.tool_calls
    )
    content = text + calls or (TextPart(text=""),)
    body = Message(
        id=message_id(message),
        role="agent",
        content=content,
        created_at=rfc3339(now_ms),
        thinking=result.thinking,
    )
    if result.thinking_signature is not None:
        body = Message(
            id=body.id,
            role="agent",
            content=content,
            created_at=body.created_at,
            thinking=result.thinking,
            thinking_signature=result.thinking_signature,
        )
    asked = agent.asked(result.choice).metadata
    return OutputMessageCompleted(message=body, usage=result.usage, metadata=asked)


def notice(
    text: str, message: UUID, *, now_ms: int, error_code: str | None = None
) -> OutputMessageCompleted:
    """A message that the engine writes itself: an error text or the note of a cancellation."""
    return OutputMessageCompleted(
        message=Message(
            id=message_id(message),
            role="agent",
            content=(TextPart(text=text),),
            created_at=rfc3339(now_ms),
        ),
        error_code=error_code,
    )


def reason_completed(result: ReasonResult) -> Json:
    data: Json = {
        "success": result.failure is None,
        "has_tool_calls": bool(result.tool_calls),
        "tool_call_count": len(result.tool_calls),
        "text_preview": result.text[:PREVIEW_CHARS_MAX],
        "duration_ms": result.duration_ms,
        "usage": result.usage.wire(),
    }
    if result.failure is not None:
        data["error"] = result.failure.message
    return data


def acted(state: TurnState, *, now_ms: int) -> Json:
    return {
        "completed": True,
        "success_count": state.call_count - state.call_errors,
        "error_count": state.call_errors,
        "duration_ms": now_ms - state.act_started_ms,
    }


def tool_completed(call_id: str, name: str, result: ToolResult) -> ToolCompleted:
    """`unknown` has no word on the wire.

    It is an error whose text says that the outcome is not known.
    """
    success = result.status == "success"
    status = "error" if result.status == "unknown" else result.status
    if not success:
        return ToolCompleted(
            tool_call_id=call_id,
            tool_name=name,
            success=False,
            status=status,
            error=result.error or "the tool failed",
            duration_ms=result.duration_ms,
        )
    return ToolCompleted(
        tool_call_id=call_id,
        tool_name=name,
        success=True,
        status=status,
        result=(TextPart(text=_result_text(result.result)), *result.images),
        duration_ms=result.duration_ms,
    )


def approval_resolved(
    turn: UUID, call_id: str, name: str, outcome: Leave, ruling: Ruling | None
) -> ApprovalResolved:
    """`ruling` where somebody decided; its arguments are those that count."""
    return ApprovalResolved(
        turn_id=turn_id(turn),
        tool_call_id=call_id,
        tool_name=name,
        outcome=outcome,
        decision=None if ruling is None else ruling.decision,
        arguments=None if ruling is None else ruling.arguments,
        reason=None if ruling is None else ruling.reason,
    )


def question_unanswered(
    turn: UUID, call_id: str, name: str, status: AnswerStatus, by: Answerer
) -> QuestionAnswered:
    """`by` says why there is none: time was up, or nobody is asked any more."""
    return QuestionAnswered(
        turn_id=turn_id(turn),
        tool_call_id=call_id,
        tool_name=name,
        status=status,
        answered_by=by,
    )


def _result_text(value: object) -> str:
    return value if isinstance(value, str) else write_foreign(value, "a result").decode()


def turn_completed(
    turn: UUID, state: TurnState, *, text: str, started_ms: int, now_ms: int
) -> Json:
    data: Json = {
        "turn_id": turn_id(turn),
        "iterations": state.iteration,
        "duration_ms": now_ms - started_ms,
        "usage": state.usage.wire(),
        "status": "completed",
        "final_answer_preview": text[:PREVIEW_CHARS_MAX],
        "final_message_id": message_id(state.message_id),
        "llm_call_count": state.model_calls,
        "tool_call_count": state.tool_calls,
    }
    if state.first_token_ms is not None:
        data["time_to_first_token_ms"] = state.first_token_ms
    return data


def turn_failed(turn: UUID, failure: Failure, state: TurnState) -> Json:
    told: Json = {"turn_id": turn_id(turn), "error": failure.message, "error_code": failure.code}
    return told | {"usage": state.usage.wire()}


def idled(turn: UUID, state: TurnState) -> Json:
    """`session_usage`: of all turns of the session so far."""
    return {
        "turn_id": turn_id(turn),
        "iterations": state.iteration,
        "usage": state.usage.wire(),
        "session_usage": state.earlier.plus(state.usage).wire(),
    }
