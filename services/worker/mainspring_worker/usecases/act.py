"""One tool call. Whatever goes wrong becomes a result, which the model sees and goes on from."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from mainspring_harness.arguments import problems
from mainspring_harness.builtin import (
    background_execution,
    mcp_servers,
    subagents,
    tool_search,
)
from mainspring_harness.prompt import Blueprint
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Position, uuid7_ms
from mainspring_kernel.limits import TOOL_CALL_TIMEOUT_S
from mainspring_schema.agents import BOUND
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import Task
from mainspring_schema.messages import Json
from mainspring_schema.tasks import EmitEvent, ToolResult, ToolTask
from mainspring_worker.domain.limits import ERROR_TEXT_CHARS_MAX, TOOL_PROBE_TIMEOUT_S
from mainspring_worker.ports.eventlog import EventLog
from mainspring_worker.ports.running import ToolRunner
from mainspring_worker.ports.telemetry import Telemetry
from mainspring_worker.ports.tool import Tool, ToolBox, ToolContext, ToolOutcome
from mainspring_worker.usecases.guard import Guard
from mainspring_worker.usecases.holding import Holdings
from mainspring_worker.usecases.outputs import Outputs
from mainspring_workstream import outcomes
from mainspring_workstream.attempt import Attempt, AttemptVoid
from mainspring_workstream.configs import Configs, ConfigUnusable
from mainspring_workstream.flights import Flights
from mainspring_workstream.overweight import writable
from mainspring_workstream.showing import Shown, showing

_LOG: Final = logging.getLogger(__name__)
_ARGUMENTS: Final = dict[str, object]
_TOLD_AGENT: Final = frozenset(
    {tool_search.ID, mcp_servers.ID, subagents.ID, background_execution.ID}
)
"""Capabilities whose tools work on what the agent has."""


class Acting:
    """One per worker."""

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        *,
        configs: Configs,
        toolbox: ToolBox,
        runner: ToolRunner,
        outputs: Outputs,
        holdings: Holdings,
        telemetry: Telemetry,
        log: EventLog,
        guard: Guard,
        flights: Flights,
        clock: Clock,
        told_agent: Iterable[str] = (),
    ) -> None:
        """`told_agent` are capabilities beside ours whose tools work on what the agent has."""
        self._told_agent = _TOLD_AGENT.union(told_agent)
        self._flights = flights
        self._guard = guard
        self._log = log
        self._configs = configs
        self._toolbox = toolbox
        self._runner = runner
        self._outputs = outputs
        self._telemetry = telemetry
        self._holdings = holdings
        self._clock = clock

    async def carry_out(self, attempt: Attempt, payload: ToolTask) -> ToolResult:
        """The result, failures included. Raises HandedBack, AttemptVoid, or CancelledError."""
        tool = self._toolbox.find(payload.name, payload.capability_id)
        if tool is None:
            if attempt.task.started:
                return outcomes.lost("its tool is not available any more")
            missing = f"the tool {payload.name!r} is not available here"
            return outcomes.error(missing, "unknown_tool")
        try:
            arguments = msgspec.convert(payload.arguments, _ARGUMENTS)
        except msgspec.ValidationError:
            return outcomes.error("the arguments must be a JSON object", "invalid_arguments")
        if payload.edited and (wrong := _misfit(tool, arguments)):
            return outcomes.error(f"the edited arguments do not fit: {wrong}", "invalid_arguments")
        try:
            rules = await self._rules(payload)
        except ConfigUnusable as unusable:
            return _unruled(unusable)
        began = self._clock.mono()
        with self._telemetry.tool_call(attempt.task, payload) as span:
            try:
                outcome = await self._call(attempt, payload, tool, arguments)
            except asyncio.CancelledError:
                outcome = outcomes.broken_off(attempt, payload)
            duration_ms = round((self._clock.mono() - began) * 1000)
            timed = msgspec.structs.replace(outcome, duration_ms=duration_ms)
            result = await self._readable(attempt, payload, rules, timed)
            span.ended(result)
            return result

    async def read(self, attempt: Attempt, payload: ToolTask, brought: ToolResult) -> ToolResult:
        """What another worker brought, as the model may have it. The call is not made again.

        Raises HandedBack, AttemptVoid, or CancelledError.
        """
        try:
            rules = await self._rules(payload)
            unread = msgspec.structs.replace(brought, unread=False)
            return await self._readable(attempt, payload, rules, unread)
        except ConfigUnusable as unusable:
            return _unruled(unusable)
        except asyncio.CancelledError:
            return outcomes.broken_off(attempt, payload)

    async def _readable(
        self, attempt: Attempt, payload: ToolTask, rules: Blueprint | None, result: ToolResult
    ) -> ToolResult:
        """As it may stand in an event; a call that is given back has nothing to show yet."""
        if result.joins is not None:
            return result
        if rules is not None:
            result = await self._guard.output(attempt, payload, rules, result)
        return await self._outputs.bounded(attempt, payload, result)

    async def _call(
        self, attempt: Attempt, payload: ToolTask, tool: Tool, arguments: Json
    ) -> ToolResult:
        if attempt.task.started:
            return await self._ask(attempt, payload, tool, arguments)
        if payload.effect_class in BOUND:
            await attempt.start()
        await attempt.leased()
        attempt.begun = True
        limit_s = payload.limit_s or TOOL_CALL_TIMEOUT_S
        shown = Shown(self._flights, self._clock, attempt, payload)
        context = self._context(attempt, payload, tool, limit_s)
        if not payload.guarded:  # else nobody has looked at it yet
            context = msgspec.structs.replace(context, output=shown)
        try:
            context = await self._with_agent(context, payload, tool)
        except ConfigUnusable as unusable:
            return outcomes.error(
                f"the configuration of the agent is not known: {unusable}", "config_unusable"
            )
        async with showing(shown):
            return await self._made(payload, self._runner.call(tool, arguments, context), limit_s)

    async def _made(
        self, payload: ToolTask, call: Awaitable[ToolOutcome], limit_s: float
    ) -> ToolResult:
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                return _told(await call)
        except TimeoutError:
            if not limit.expired():
                return _raised(payload)
            return outcomes.timed_out(payload, limit_s)
        except AttemptVoid:
            raise  # a line of progress was refused: the task is another's
        except Exception:  # noqa: BLE001 - whatever a tool raises is a fault of the tool
            return _raised(payload)

    async def _rules(self, payload: ToolTask) -> Blueprint | None:
        """Before the call: its outcome must not wait for rules that do not come."""
        if not payload.guarded:
            return None
        agent = await self._configs.get(payload.config_hash)
        return self._guard.plan(payload.config_hash, agent)

    async def _with_agent(self, context: ToolContext, payload: ToolTask, tool: Tool) -> ToolContext:
        """Only tools that reach out, or work on what the agent has, wait for who that is."""
        hints = tool.definition.hints
        reaches_out = hints is not None and bool(hints.open_world)
        if not reaches_out and payload.capability_id not in self._told_agent:
            return context
        agent = await self._configs.get(payload.config_hash)
        return msgspec.structs.replace(context, network=agent.network_access, agent=agent)

    async def _ask(
        self, attempt: Attempt, payload: ToolTask, tool: Tool, arguments: Json
    ) -> ToolResult:
        """What became of the call that a lost attempt started. It is not made again."""
        if not tool.definition.probed:
            return outcomes.lost("its tool has no probe")
        context = self._context(attempt, payload, tool, TOOL_PROBE_TIMEOUT_S)
        try:
            async with asyncio.timeout(TOOL_PROBE_TIMEOUT_S):
                context = await self._with_agent(context, payload, tool)
                told = _told(await self._runner.probe(tool, arguments, context))
        except AttemptVoid:
            raise
        except Exception:  # noqa: BLE001 - whatever a probe raises, it has not told anything
            _LOG.exception("probe raised", extra={"tool": payload.name, "call": payload.call_id})
            return outcomes.lost("its probe failed")
        if told.status not in ("success", "error"):
            return outcomes.lost("its probe could not tell")
        return told

    def _context(
        self, attempt: Attempt, payload: ToolTask, tool: Tool, limit_s: float
    ) -> ToolContext:
        return ToolContext(
            org_id=attempt.task.org_id,
            session_id=attempt.task.session_id,
            turn_id=payload.turn_id,
            call_id=payload.call_id,
            idempotency_key=payload.idempotency_key,
            deadline_mono=self._clock.mono() + limit_s,
            clock=self._clock,
            progress=_Progress(attempt, payload, tool),
            resources=self._holdings.of(attempt.held, payload.idempotency_key),
            history=self._history(attempt.task),
            began_ms=uuid7_ms(attempt.held.task_id),
            attempt=attempt.held.fence,
            background_s=payload.limit_s,
        )

    def _history(self, task: Task) -> Callable[[int], Awaitable[tuple[StoredEvent, ...]]]:
        async def read(after: int) -> tuple[StoredEvent, ...]:
            page = await self._log.read(
                task.session_id, task.org_id, after=Position(after), events_only=True
            )
            return page.events

        return read


class _Progress:
    """Shows a line of progress as an event of the session."""

    def __init__(self, attempt: Attempt, payload: ToolTask, tool: Tool) -> None:
        self._attempt = attempt
        self._payload = payload
        self._display_name = tool.definition.display_name

    async def __call__(self, message: str) -> None:
        data: Json = {
            "tool_call_id": self._payload.call_id,
            "tool_name": self._payload.name,
            "message": writable(message[:ERROR_TEXT_CHARS_MAX]),
        }
        if self._display_name is not None:
            data["display_name"] = self._display_name
        await self._attempt.emit(EmitEvent(type="tool.progress", data=data))


def _misfit(tool: Tool, arguments: Json) -> str:
    """The model's arguments were checked where it answered; a person's are checked here."""
    schema = tool.definition.full_parameters or tool.definition.parameters
    return "; ".join(problems(tool.definition.name, schema, arguments))


def _unruled(unusable: ConfigUnusable) -> ToolResult:
    return outcomes.error(f"the agent's guardrails are not known: {unusable}", "config_unusable")


def _told(outcome: ToolOutcome) -> ToolResult:
    return ToolResult(
        status=outcome.status,
        result=outcome.result,
        error=outcome.error,
        joins=outcome.joins,
        images=outcome.images,
    )


def _raised(payload: ToolTask) -> ToolResult:
    _LOG.exception("tool raised", extra={"tool": payload.name, "call": payload.call_id})
    return outcomes.raised(payload)
