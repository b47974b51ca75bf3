"""The first listener: what models, tools and turns cost, as metrics, from committed events alone.

Events are the truth, so a model call that was retried or recovered is counted as it was committed.
"""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring_runtime import names
from mainspring_runtime.listeners import CommittedEvent
from mainspring_runtime.metrics import Metrics
from mainspring_runtime.names import Attribute
from mainspring_schema.events import decode_payload

_log = logging.getLogger(__name__)
_MODALITY: Final = "text"


class _Usage(msgspec.Struct, frozen=True, kw_only=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of `llm.generation.metadata`; other members may come and go."""

    model: str
    provider: str | None = None
    success: bool = True
    error: str | None = None
    usage: _Usage | None = None
    duration_ms: float | None = None
    time_to_first_token_ms: float | None = None
    finish_reasons: tuple[str, ...] | None = None


class _Generation(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Call


class _Tool(msgspec.Struct, frozen=True, kw_only=True):
    tool_name: str
    status: str = "success"
    success: bool = True
    duration_ms: float | None = None


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    duration_ms: float | None = None
    llm_call_count: int | None = None
    tool_call_count: int | None = None
    error_code: str | None = None


_MODEL_CALL: Final = msgspec.json.Decoder(_Generation)
_TOOL: Final = msgspec.json.Decoder(_Tool)
_TURN: Final = msgspec.json.Decoder(_Turn)


class ModelMetrics:
    """Token usage, latency, finish reasons, tools and turns."""

    name = "model_metrics"
    event_types: frozenset[str] | None = frozenset(
        {
            "llm.generation",
            "tool.completed",
            "turn.completed",
            "turn.failed",
            "turn.cancelled",
            "turn.sealed",
        }
    )

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def on_event(self, batch: Sequence[CommittedEvent]) -> None:
        """Counts each event; one that cannot be read is logged and skipped."""
        if not self._metrics.collected:
            return
        for committed in batch:
            try:
                self._count(committed.event.type, decode_payload(committed.event.payload).data)
            except msgspec.DecodeError as error:
                _log.warning("event %s is not understood: %s", committed.event.type, error)

    def _count(self, type_: str, data: msgspec.Raw) -> None:
        match type_:
            case "llm.generation":
                self._model_call(_MODEL_CALL.decode(data).metadata)
            case "tool.completed":
                self._tool(_TOOL.decode(data))
            case _:
                self._turn(type_.removeprefix("turn."), _TURN.decode(data))

    def _model_call(self, call: _Call) -> None:
        where: dict[str, Attribute] = {
            names.OPERATION_NAME: names.OPERATION_CHAT,
            names.PROVIDER_NAME: call.provider or "unknown",
            names.REQUEST_MODEL: call.model,
        }
        self._tokens(call.usage or _Usage(), where)
        for reason in call.finish_reasons or ():
            self._metrics.add(
                names.FINISH_REASONS, 1, {**where, names.RESPONSE_FINISH_REASONS: reason}
            )
        timed = where if call.success else {**where, names.ERROR_TYPE: "model_error"}
        self._seconds(names.MODEL_DURATION, call.duration_ms, timed)
        self._seconds(names.MODEL_FIRST_CHUNK, call.time_to_first_token_ms, where)

    def _tokens(self, usage: _Usage, where: dict[str, Attribute]) -> None:
        # Zero is recorded too, also for failed calls: the conventions want it.
        counted = {**where, names.TOKEN_MODALITY: _MODALITY}
        add, record = self._metrics.add, self._metrics.record
        add(names.INPUT_TOKENS, usage.input_tokens, counted)
        add(names.OUTPUT_TOKENS, usage.output_tokens, counted)
        add(names.CACHE_READ_TOKENS, usage.cache_read_tokens or 0, counted)
        add(names.CACHE_WRITE_TOKENS, usage.cache_creation_tokens or 0, counted)
        add(names.REASONING_TOKENS, usage.reasoning_tokens or 0, counted)
        record(names.CALL_INPUT_TOKENS, usage.input_tokens, where)
        record(names.CALL_OUTPUT_TOKENS, usage.output_tokens, where)
        record(names.TOKEN_USAGE, usage.input_tokens, {**where, names.TOKEN_TYPE: "input"})
        record(names.TOKEN_USAGE, usage.output_tokens, {**where, names.TOKEN_TYPE: "output"})

    def _tool(self, tool: _Tool) -> None:
        where: dict[str, Attribute] = {
            names.OPERATION_NAME: names.OPERATION_TOOL,
            names.TOOL_NAME: tool.tool_name,
        }
        if not tool.success:
            where[names.ERROR_TYPE] = tool.status
        self._seconds(names.TOOL_DURATION, tool.duration_ms, where)

    def _turn(self, outcome: str, turn: _Turn) -> None:
        self._metrics.add(names.TURN_OUTCOMES, 1, {names.TURN_OUTCOME: outcome})
        where: dict[str, Attribute] = {names.OPERATION_NAME: names.OPERATION_AGENT}
        if turn.error_code is not None:
            where[names.ERROR_TYPE] = turn.error_code
        self._seconds(names.TURN_DURATION, turn.duration_ms, where)
        if turn.llm_call_count is not None:
            self._metrics.record(names.TURN_MODEL_CALLS, turn.llm_call_count, where)
        if turn.tool_call_count is not None:
            self._metrics.record(names.TURN_TOOL_CALLS, turn.tool_call_count, where)

    def _seconds(
        self, instrument: names.Instrument, milliseconds: float | None, where: names.Attributes
    ) -> None:
        if milliseconds is not None:
            self._metrics.record(instrument, milliseconds / 1000, where)
