"""Plays an answer as a provider would stream it: at once, or at the pace that the name asks for."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from typing import Final

import msgspec

from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.discovery import FoundModel, FoundModels
from mainspring_schema.events import Usage
from mainspring_worker.adapters.models.llmsim.answering import (
    Reply,
    answer,
    prompt_chars,
    seed_of,
    tokens_of,
)
from mainspring_worker.adapters.models.llmsim.script import Latency, ScriptedCall, Step
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import (
    Done,
    ModelItem,
    ModelRequest,
    OfferRequest,
    RawToolCall,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
)

_TTFT: Final = re.compile(r"-ttft-(\d+)")
_TOKEN: Final = re.compile(r"\S+\s*|\s+")
_INSTANT: Final = Latency()
_TTFT_MS: Final = (150, 350)
_TOKEN_MS: Final = (8, 20)
_DELAY_MS_MAX: Final = 600_000
_OFFERED: Final = FoundModels(
    models=(
        FoundModel(model="llmsim", display_name="Simulated model"),
        FoundModel(model="llmsim-latency", display_name="Simulated model with realistic latency"),
    )
)


class LlmSim:
    """The driver `llmsim`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        reply = answer(request)
        step = reply.step
        pace = _pace(request, reply)
        await self._wait(pace.ttft_ms, request.deadlines.first_byte_ms)
        if step.thinking:
            yield ThinkingDelta(step.thinking)
        shown = _shown(step, request.attempt)
        for piece in _pieces(shown, whole=pace.token_ms == 0):
            yield TextDelta(piece)
            await self._wait(pace.token_ms, request.deadlines.gap_ms)
        await self._trouble(step, request, started=bool(shown))
        calls = tuple(_raw(call) for call in step.tool_calls)
        for index, call in enumerate(calls):
            yield ToolArgumentsDelta(index=index, name=call.name, fragment=call.arguments)
        yield _done(request, step, calls)

    async def offered(self, request: OfferRequest) -> FoundModels:
        del request
        return _OFFERED

    async def aclose(self) -> None:
        """Holds no connection."""

    async def _wait(self, milliseconds: int, bound_ms: int) -> None:
        """Sleeps; a provider slower than the bound is one that timed out."""
        if milliseconds <= 0:
            return
        await self._clock.sleep(min(milliseconds, bound_ms) / 1000)
        if milliseconds > bound_ms:
            raise failure(Kind.TIMEOUT, f"no byte from the provider in {bound_ms} ms")

    async def _trouble(self, step: Step, request: ModelRequest, *, started: bool) -> None:
        if step.stall is not None and _strikes(step.stall.attempts, request.attempt):
            bound = request.deadlines.gap_ms if started else request.deadlines.first_byte_ms
            await self._wait(bound + 1, bound)
        if step.error is not None and _strikes(step.error.attempts, request.attempt):
            # One turn of the loop, so that what was streamed before is seen as streamed.
            await asyncio.sleep(0)
            raise step.error.failure()


def _pace(request: ModelRequest, reply: Reply) -> Latency:
    if reply.latency is not None:
        return _bounded(reply.latency)
    name = request.choice.model
    if "-latency" not in name and "-ttft-" not in name:
        return _INSTANT
    pace = _INSTANT
    if "-latency" in name:
        draws = SeededDraws(seed_of(request))
        pace = Latency(
            ttft_ms=_between(_TTFT_MS, draws.unit()), token_ms=_between(_TOKEN_MS, draws.unit())
        )
    if (fixed := _TTFT.search(name)) is not None:
        pace = Latency(ttft_ms=int(fixed.group(1)), token_ms=pace.token_ms)
    return _bounded(pace)


def _between(bounds: tuple[int, int], draw: float) -> int:
    low, high = bounds
    return round(low + (high - low) * draw)


def _bounded(pace: Latency) -> Latency:
    return Latency(
        ttft_ms=min(max(pace.ttft_ms, 0), _DELAY_MS_MAX),
        token_ms=min(max(pace.token_ms, 0), _DELAY_MS_MAX),
    )


def _strikes(attempts: int | None, attempt: int) -> bool:
    return attempts is None or attempt <= attempts


def _shown(step: Step, attempt: int) -> str:
    """The text that comes before the trouble, all of it where there is none."""
    ends = [
        trouble.after_chars
        for trouble in (step.stall, step.error)
        if trouble is not None and _strikes(trouble.attempts, attempt)
    ]
    return step.text[: max(0, min(ends))] if ends else step.text


def _pieces(text: str, *, whole: bool) -> Iterator[str]:
    if whole:
        yield from (text,) if text else ()
        return
    for token in _TOKEN.finditer(text):
        yield token.group()


def _raw(call: ScriptedCall) -> RawToolCall:
    text = msgspec.json.encode(call.arguments).decode() if call.raw is None else call.raw
    return RawToolCall(name=call.name, arguments=text)


def _done(request: ModelRequest, step: Step, calls: tuple[RawToolCall, ...]) -> Done:
    written = len(step.text) + sum(len(call.arguments) for call in calls)
    return Done(
        text=step.text,
        thinking=step.thinking,
        tool_calls=calls,
        usage=Usage(
            input_tokens=tokens_of(prompt_chars(request)), output_tokens=tokens_of(written)
        ),
        finish_reason=step.finish_reason or ("tool_call" if calls else "stop"),
        response_id=f"llmsim_{request.turn_id.hex}_{request.iteration}",
        response_model=request.choice.model,
    )
