"""Carries out the calls of models: what is committed before one, and what is told of its end."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, cast

import msgspec

from mainspring.crossing import call_on
from mainspring.errors import NotDone, ToolError, Unserializable
from mainspring.ferry import Ferry
from mainspring.images import taken_out
from mainspring.saying import said
from mainspring.showing import Output, Road
from mainspring.tools import Tool, ToolContext
from mainspring.values import encode
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.toolset_limits import (
    ANNOUNCED_ERROR_CHARS_MAX,
    ANNOUNCED_PROBE_S,
    ANNOUNCED_PROGRESS_CHARS_MAX,
    ANNOUNCED_RESULT_PLAIN_BYTES_MAX,
)
from mainspring_schema import toolsets
from mainspring_schema.agents import BOUND
from mainspring_schema.messages import Json
from mainspring_schema.tasks import EmitEvent, ToolResult, ToolTask
from mainspring_schema.toolsets import Brings, Toolset
from mainspring_workstream import outcomes
from mainspring_workstream.attempt import Attempt, HandedBack
from mainspring_workstream.configs import Configs, ConfigUnusable
from mainspring_workstream.exits import undisturbed
from mainspring_workstream.overweight import is_sendable, writable

_LOG: Final = logging.getLogger("mainspring")
QUEUE: Final = "default"
"""By which all steps of turns go."""


NOTHING: Final = Brings()


class Announced:
    """A worker's tools under the name of their set, and what it says of them when it attaches.

    Raises ValueError for tools that no agent can be given.
    """

    def __init__(
        self,
        tools: "Sequence[Tool[..., object]]",
        name: str,
        instructions: str = "",
        brings: Brings = NOTHING,
        *,
        queues: Sequence[str] = (QUEUE,),
    ) -> None:
        self.tools = {tool.name: tool for tool in tools}
        self.ref = f"{toolsets.REF}{name}"
        self.has_settings = brings.config_schema is not None
        self.capabilities: tuple[str, ...] = ()
        self.body = b""
        if bool(tools) is not bool(name):
            message = "tools are announced under a name: Worker(tools=[…], toolset='shop')"
            raise ValueError(message)
        if not tools:
            return
        if QUEUE not in queues:
            message = (
                f"calls of tools come by the queue {QUEUE!r}, which this worker does not serve"
            )
            raise ValueError(message)
        definitions = tuple(tool.definition for tool in tools)
        toolset = Toolset(name=name, tools=definitions, instructions=instructions, brings=brings)
        try:
            self.body = toolsets.check(toolset)
        except ValidationFailed as error:
            raise ValueError(str(error)) from error
        names = (toolsets.capability_of(toolset.ref, tool) for tool in self.tools)
        self.capabilities = tuple(names)


NO_TOOLS: Final = Announced((), "")


class Caller:
    """`loop` is the user's; calls come from the stream's."""

    def __init__(
        self,
        announced: Announced,
        loop: asyncio.AbstractEventLoop,
        road: Road,
        configs: Configs | None = None,
    ) -> None:
        self._announced = announced
        self._configs = configs
        self._tools = announced.tools
        self._road = road
        self._ferry = Ferry[ToolResult](loop)

    async def carry_out(self, attempt: Attempt, payload: ToolTask) -> ToolResult:
        """The result, failures included. Raises HandedBack, AttemptVoid, or CancelledError."""
        tool = self._tools.get(payload.name)
        if tool is None:
            raise HandedBack  # it never offered this one
        now = asyncio.get_running_loop().time  # which a simulation has, too
        began = now()
        try:
            result = await self._carried_out(attempt, payload, tool)
        except ConfigUnusable:
            result = (
                outcomes.lost("the agent's settings are not known any more")
                if attempt.task.started
                else outcomes.error("the agent's settings are not known", "config_unusable")
            )
        except asyncio.CancelledError:
            result = outcomes.broken_off(attempt, payload)
        duration_ms = round((now() - began) * 1000)
        return msgspec.structs.replace(result, duration_ms=duration_ms)

    async def _carried_out(
        self, attempt: Attempt, payload: ToolTask, tool: "Tool[..., object]"
    ) -> ToolResult:
        try:
            arguments = tool.arguments(payload.arguments)
        except ValueError as error:
            # Announced by another version of the code, or changed by a person.
            if attempt.task.started:
                return outcomes.lost("its arguments do not fit its tool any more")
            return outcomes.error(f"invalid arguments: {error}", "invalid_arguments")
        output, shown = self._road.of(attempt, payload)
        context = _context(attempt, payload, asyncio.get_running_loop(), output)
        context = await self._with_settings(context, payload)
        if attempt.task.started:
            if tool.probe is None:
                return outcomes.lost("its tool has no probe")
            return await self._ferry.cross(lambda: _ask(tool, payload, arguments, context))
        if payload.effect_class in BOUND:
            await attempt.start()
        await attempt.leased()
        attempt.begun = True
        async with shown:
            return await self._ferry.cross(lambda: _call(tool, payload, arguments, context))

    async def _with_settings(self, context: ToolContext, payload: ToolTask) -> ToolContext:
        """Only of a set that has any: the engine is asked for them once per configuration.

        Raises ConfigUnusable, HandedBack.
        """
        if self._configs is None or not self._announced.has_settings:
            return context
        agent = await self._configs.get(payload.config_hash)
        ref = self._announced.ref
        config = next((one.config for one in agent.capabilities if one.ref == ref), None)
        settings = (config or {}).get(toolsets.SETTINGS)
        if not isinstance(settings, dict):
            return context
        return msgspec.structs.replace(context, settings=cast("Json", settings))


def _context(
    attempt: Attempt, payload: ToolTask, loop: asyncio.AbstractEventLoop, output: Output
) -> ToolContext:
    async def progress(line: str) -> None:
        told = EmitEvent(
            type="tool.progress",
            data={
                "tool_call_id": payload.call_id,
                "tool_name": payload.name,
                "message": writable(line[:ANNOUNCED_PROGRESS_CHARS_MAX]),
            },
        )
        await call_on(loop, attempt.emit(told))

    return ToolContext(
        org_id=attempt.task.org_id,
        session_id=attempt.task.session_id,
        turn_id=payload.turn_id,
        call_id=payload.call_id,
        idempotency_key=payload.idempotency_key,
        progress=progress,
        output=output,
    )


# ── on the user's loop ──────────────────────────────────────────────────────────────────────────


async def _call(
    tool: "Tool[..., object]", payload: ToolTask, arguments: dict[str, object], context: ToolContext
) -> ToolResult:
    limit = asyncio.timeout(tool.timeout_s)
    try:
        async with limit:
            return _succeeded(payload, await undisturbed(tool.call(arguments, context)))
    except ToolError as error:
        return _told(payload, error)
    except TimeoutError:
        if limit.expired():
            return outcomes.timed_out(payload, tool.timeout_s)
        return _raised(payload)
    except Exception:  # noqa: BLE001 - whatever a tool raises is a fault of the tool
        return _raised(payload)


async def _ask(
    tool: "Tool[..., object]", payload: ToolTask, arguments: dict[str, object], context: ToolContext
) -> ToolResult:
    """What became of the call that a lost attempt started. It is not made again."""
    try:
        async with asyncio.timeout(ANNOUNCED_PROBE_S):
            return _succeeded(payload, await undisturbed(tool.ask(arguments, context)))
    except NotDone as error:
        return _told(payload, error)
    except Exception:  # noqa: BLE001 - whatever a probe raises, it has not told anything
        _LOG.exception("the probe of %s failed", payload.name, extra={"call": payload.call_id})
        return outcomes.lost("its probe could not tell")


def _succeeded(payload: ToolTask, value: object) -> ToolResult:
    """What this worker cannot hold against the agent's rules and bounds another one does."""
    value, images = taken_out(value)
    try:
        body = encode(value)
    except Unserializable as error:
        message = f"what the tool returned cannot be kept: {error}"
        return outcomes.error(message, "tool_result_invalid")
    result = _JSON.decode(body)
    if not is_sendable(result):
        message = "what the tool returned holds a whole number over 64 bits: return it as text"
        return outcomes.error(message, "tool_result_invalid")
    small = len(body) <= ANNOUNCED_RESULT_PLAIN_BYTES_MAX and not images
    unread = payload.guarded or not small
    return ToolResult(status="success", result=result, unread=unread, images=images)


def _told(payload: ToolTask, error: Exception) -> ToolResult:
    message = said(error)[:ANNOUNCED_ERROR_CHARS_MAX]
    return ToolResult(status="error", error=message, unread=payload.guarded)


_JSON: Final[msgspec.json.Decoder[object]] = msgspec.json.Decoder(object)


def _raised(payload: ToolTask) -> ToolResult:
    _LOG.exception("the tool %s raised", payload.name, extra={"call": payload.call_id})
    return outcomes.raised(payload)
