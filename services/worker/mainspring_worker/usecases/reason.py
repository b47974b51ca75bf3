"""One model call: context, prompt, stream, result. It never retries; the engine does."""

import asyncio
from contextlib import aclosing
from typing import Final

from msgspec import structs

from mainspring_harness.appealing import Rules, with_appeals
from mainspring_harness.builtin import loop_detection, structured_output
from mainspring_harness.hashing import request_hash
from mainspring_harness.loops import without_loops
from mainspring_harness.offering import offered
from mainspring_harness.prompt import Blueprint, with_dynamic_facts
from mainspring_harness.toolset import AskedCall, resolve_calls
from mainspring_harness.transcript import Transcript
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import (
    DeadlineExceeded,
    MainspringError,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from mainspring_kernel.ids import Position, Prefix, to_wire
from mainspring_schema.agents import ModelChoice
from mainspring_schema.events import Usage
from mainspring_schema.tasks import EmitEvent, Failure, ReasonResult, ReasonTask, ToolCall
from mainspring_worker.domain.limits import ERROR_TEXT_CHARS_MAX
from mainspring_worker.ports.eventlog import EventLog
from mainspring_worker.ports.failures import Kind
from mainspring_worker.ports.failures import failure as failed
from mainspring_worker.ports.model import (
    Done,
    ModelFailure,
    ModelItem,
    ModelRequest,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolArgumentsDelta,
    UsageReported,
)
from mainspring_worker.ports.telemetry import ModelSpan, Telemetry
from mainspring_worker.usecases import shaping
from mainspring_worker.usecases.asking import ModelDoor
from mainspring_worker.usecases.blueprints import Blueprints, Prepared
from mainspring_worker.usecases.compaction import Asking, Compactor, Fitted, in_view
from mainspring_worker.usecases.context import Contexts
from mainspring_worker.usecases.guard import Guard, in_part
from mainspring_worker.usecases.servers import Servers
from mainspring_worker.usecases.shaping import Guarded
from mainspring_worker.usecases.tab import Tab
from mainspring_worker.usecases.telling import TEXT, Telling
from mainspring_workstream.attempt import Attempt, Stop
from mainspring_workstream.configs import Configs, ConfigUnusable
from mainspring_workstream.deltas import Anchor
from mainspring_workstream.flights import Flights

_CANCELLED: Final = Failure(error_class="cancelled", code="cancelled", message="cancelled")


class Reasoning:
    """One per worker."""

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        *,
        configs: Configs,
        blueprints: Blueprints,
        servers: Servers,
        contexts: Contexts,
        log: EventLog,
        flights: Flights,
        door: ModelDoor,
        guard: Guard,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._blueprints = blueprints
        self._servers = servers
        self._contexts = contexts
        self._log = log
        self._flights = flights
        self._door = door
        self._compactor = Compactor(door=door, log=log, clock=clock)
        self._shaper = shaping.Shaper(door)
        self._guard = guard
        self._telemetry = telemetry
        self._clock = clock

    async def carry_out(self, attempt: Attempt, payload: ReasonTask) -> ReasonResult:
        """The result, failures included. Raises HandedBack, AttemptVoid, or CancelledError."""
        began, place = self._clock.mono(), 0
        try:
            agent = await self._configs.get(payload.config_hash)
            place, choice = agent.model.in_turn(attempt.task.failures)
            prepared = self._blueprints.prepare(payload.config_hash, agent)
            prepared = await self._servers.joined(attempt, agent, prepared)
            transcript = await self._contexts.fold(attempt.task, through_seq=payload.through_seq)
            if attempt.held.fence > 1:
                await self._recover(attempt, payload)
            asking = await self._asking(attempt, payload, prepared.plan, choice)
            fitted = await self._compactor.fit(asking, transcript)
            request = self._request(asking, prepared, fitted.transcript)
        except asyncio.CancelledError:
            if attempt.stop is not Stop.CANCELLED:
                raise
            _resume()
            return ReasonResult(failure=_CANCELLED, duration_ms=self._ms_since(began))
        except (ConfigUnusable, MainspringError, ModelFailure) as error:
            failure, spent_ms = _failure(error), self._ms_since(began)
            return ReasonResult(failure=failure, choice=place, duration_ms=spent_ms)
        result = await self._answered(asking, prepared, request, fitted)
        if result.failure is None or result.failure.error_class != "context_overflow":
            return result
        return await self._shorter(asking, prepared, fitted, result)

    async def _shorter(
        self, asking: Asking, prepared: Prepared, fitted: Fitted, refused: ReasonResult
    ) -> ReasonResult:
        """The call once more, where what was refused as too long can be told shorter."""
        try:
            fitted = await self._compactor.fit(asking, fitted.transcript, refused=True)
        except asyncio.CancelledError:
            if asking.attempt.stop is not Stop.CANCELLED:
                raise
            _resume()
            return structs.replace(refused, failure=_CANCELLED)
        if not fitted.changed:
            return refused
        request = self._request(asking, prepared, fitted.transcript)
        return await self._answered(asking, prepared, request, fitted)

    async def _answered(
        self, asking: Asking, prepared: Prepared, request: ModelRequest, fitted: Fitted
    ) -> ReasonResult:
        attempt, payload = asking.attempt, asking.payload
        call = _Call(attempt, payload, prepared, request, clock=self._clock)
        call.request_hash = request_hash(
            prepared.digest, fitted.transcript, request.reasoning_effort
        )
        call.spent, call.helper_calls = fitted.usage, fitted.calls
        call.place, _ = prepared.plan.agent.model.in_turn(attempt.task.failures)
        call.rules = fitted.transcript.rules
        with self._telemetry.model_call(attempt.task, payload, request) as span:
            return await self._call(call, span)

    # ── before the call ──────────────────────────────────────────────────────────────────────

    async def _recover(self, attempt: Attempt, payload: ReasonTask) -> None:
        """Says that the answer begins anew, before anything of it can be seen."""
        length = await self._accumulated(attempt, payload)
        data: dict[str, object] = {
            "turn_id": to_wire(Prefix.TURN, payload.turn_id),
            "mode": "restart",
            "accumulated_len": length,
        }
        await attempt.emit(EmitEvent(type="reason.recovered", data=data))

    async def _accumulated(self, attempt: Attempt, payload: ReasonTask) -> int:
        """Characters of the answer that the attempts before had told; 0 where nobody knows."""
        anchor = to_wire(Prefix.MESSAGE, payload.message_id)
        attempts: dict[int, int] = {}
        after = Position(payload.through_seq)
        while True:
            try:
                page = await self._log.read(
                    attempt.task.session_id, attempt.task.org_id, after=after, events_only=False
                )
            except (Unavailable, DeadlineExceeded):
                return 0
            for delta in page.deltas:
                if delta.anchor == anchor and delta.channel == TEXT:
                    attempts[delta.attempt] = delta.offset + len(delta.fragment)
            rows = [Position(e.seq) for e in page.events]
            rows += [Position(d.seq, d.n) for d in page.deltas]
            if not page.more or not rows:
                return attempts[max(attempts)] if attempts else 0
            after = max(rows)

    async def _asking(
        self, attempt: Attempt, payload: ReasonTask, plan: Blueprint, choice: ModelChoice
    ) -> Asking:
        choice, credentials = await self._door.access(attempt.held, choice)
        return Asking(
            attempt=attempt, payload=payload, plan=plan, choice=choice, credentials=credentials
        )

    def _request(self, asking: Asking, prepared: Prepared, transcript: Transcript) -> ModelRequest:
        plan, payload = prepared.plan, asking.payload
        controls = payload.controls
        reasoning = None if controls is None else controls.reasoning
        messages = transcript.messages()
        return ModelRequest(
            choice=asking.choice,
            system=prepared.system,
            messages=with_dynamic_facts(plan, in_view(plan, messages, transcript.made)),
            tools=offered(plan.tools, plan.applied, messages),
            parallel_tool_calls=plan.agent.parallel_tool_calls,
            reasoning_effort=None if reasoning is None else reasoning.effort,
            turn_id=payload.turn_id,
            iteration=payload.iteration,
            attempt=asking.attempt.held.fence,
            credentials=asking.credentials,
            output_schema=shaping.schema_of(plan),
        )

    # ── the call ─────────────────────────────────────────────────────────────────────────────

    async def _call(self, call: "_Call", span: ModelSpan) -> ReasonResult:
        stream = self._flights.open(call.anchor())
        telling = Telling(
            call.attempt,
            call.payload,
            stream,
            model=call.request.choice.model,
            clock=self._clock,
        )
        failure: Failure | None = None
        try:
            await call.attempt.leased()
            call.attempt.begun = True
            await self._guard.prompt(call)
            await self._stream(call, telling)
            await stream.finish()
            await self._guarded(call)
        except asyncio.CancelledError:
            if call.attempt.stop is not Stop.CANCELLED:
                raise
            _resume()
            failure = _CANCELLED
        except ModelFailure as error:
            failure = error.failure
            call.usage = error.usage or call.usage
        if failure is not None:
            await stream.abandon()
        result = call.result(failure)
        span.ended(result)
        return result

    async def _stream(self, call: "_Call", telling: Telling) -> None:
        driver = self._door.drivers.named(call.request.choice.driver)
        async with aclosing(driver.stream(call.request)) as items:
            async for item in items:
                if (shown := call.take(item)) is not None:
                    await telling.tell(shown)
        if call.done is None:
            raise failed(Kind.STREAM_CUT, "the model's stream ended early")

    async def _guarded(self, call: "_Call") -> None:
        reshaped = await self._shaper.shape(call)
        call.answer = await self._guard.answer(call)
        done = call.done
        if reshaped and done is not None and call.answer.text == done.text:
            await shaping.tell(call, done.text, by=structured_output.ID, reason="unfit")

    def _ms_since(self, began: float) -> int:
        return round((self._clock.mono() - began) * 1000)


class _Call:
    """What came of the call so far; also a cancelled or failed one reports it."""

    def __init__(
        self,
        attempt: Attempt,
        payload: ReasonTask,
        prepared: Prepared,
        request: ModelRequest,
        *,
        clock: Clock,
    ) -> None:
        self.attempt = attempt
        self.payload = payload
        self.request = request
        self.request_hash = b""
        self.place = 0
        self.rules: Rules = {}
        self.usage = Usage()
        self.spent, self.helper_calls = Usage(), 0
        self.tab = Tab(clock)
        self.done: Done | None = None
        self.answer: Guarded | None = None
        """As the agent's guardrails let it pass."""
        self.plan = prepared.plan
        self._clock = clock
        self._began = clock.mono()
        self._first: float | None = None
        self._text: list[str] = []

    def anchor(self) -> Anchor:
        return Anchor(
            session_id=self.attempt.task.session_id,
            turn_id=self.payload.turn_id,
            anchor=to_wire(Prefix.MESSAGE, self.payload.message_id),
            attempt=self.attempt.held.fence,
        )

    def take(self, item: ModelItem) -> TextDelta | ThinkingDelta | ToolArgumentsDelta | None:
        """Keeps an item; what people may watch of it."""
        match item:
            case TextDelta() | ThinkingDelta() | ToolArgumentsDelta():
                if self._first is None:
                    self._first = self._clock.mono()
                if isinstance(item, TextDelta):
                    self._text.append(item.text)
                return item
            case UsageReported():
                self.usage = item.usage
            case Done():
                self.done = item
                self.usage = item.usage
            case ThinkingSignature():
                pass  # `Done` repeats it
        return None

    def result(self, failure: Failure | None) -> ReasonResult:
        done = self.done or Done(text="".join(self._text))
        answer = self.answer or self.answered()
        if failure is not None:
            answer = Guarded(text=in_part(self.plan, done.text))
        first = self._first
        return ReasonResult(
            text=answer.text,
            tool_calls=answer.calls,
            thinking=done.thinking,
            thinking_signature=done.thinking_signature,
            usage=self.usage.plus(self.spent),
            finish_reason=done.finish_reason,
            response_id=done.response_id,
            response_model=done.response_model,
            choice=self.place,
            duration_ms=self._ms(self._clock.mono()),
            time_to_first_token_ms=None if first is None else self._ms(first),
            request_hash=self.request_hash,
            message_count=len(self.request.messages),
            tools=tuple(tool.name for tool in self.request.tools),
            failure=failure,
            helper_calls=self.helper_calls,
            judged=self.tab.judged if self.tab.judged.calls else None,
        )

    def answered(self) -> Guarded:
        """What the model said, before anybody looked at it."""
        done = self.done or Done(text="".join(self._text))
        return Guarded(text=done.text, calls=self._calls(done))

    def _calls(self, done: Done) -> tuple[ToolCall, ...]:
        asked = [AskedCall(call.name, call.arguments) for call in done.tool_calls]
        calls = resolve_calls(
            asked,
            self.plan.tools,
            turn_id=self.payload.turn_id,
            iteration=self.payload.iteration,
            cut=done.finish_reason == "length",
        )
        watched = loop_detection.threshold(self.plan.applied)
        if watched is not None:
            calls = without_loops(calls, self.request.messages, threshold=watched)
        if limit_s := self.plan.agent.call_limit_s:
            calls = tuple(structs.replace(call, limit_s=limit_s) for call in calls)
        return with_appeals(calls, self.plan.tools, self.plan.applied, self.rules)

    def _ms(self, until: float) -> int:
        return round((until - self._began) * 1000)


def _resume() -> None:
    """Takes the cancellation back: the step goes on to report it."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _failure(error: ConfigUnusable | MainspringError | ModelFailure) -> Failure:
    """What went wrong before the model was asked."""
    match error:
        case ModelFailure():
            return error.failure
        case ConfigUnusable():
            return Failure(
                error_class="invalid_request",
                code="configuration_unusable",
                message="the configuration of this turn is not known, or not readable here",
            )
        case Unavailable() | DeadlineExceeded():
            return Failure(error_class="transient", code=error.code, message=_text(error))
        case NotFound():
            missing = "no credentials are stored for this model's provider"
            return failed(Kind.MISCONFIGURED, missing).failure
        case PermissionDenied():
            return Failure(error_class="auth", code=error.code, message=_text(error))
        case MainspringError():
            return Failure(error_class="invalid_request", code=error.code, message=_text(error))


def _text(error: MainspringError) -> str:
    return error.detail[:ERROR_TEXT_CHARS_MAX]
