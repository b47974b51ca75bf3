"""Asks an agent's hooks at the points of a turn, and does as they say."""

import asyncio
import logging
from typing import Final

from msgspec import Struct, structs

from mainspring_harness.arguments import problems
from mainspring_harness.builtin.user_hooks import Hook, Point, Verdict, hooks, verdict
from mainspring_harness.conversation import FactsMessage, PromptMessage, UserMessage
from mainspring_harness.prompt import Blueprint
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.codec import to_json
from mainspring_schema.holdings import OpenSecret
from mainspring_schema.messages import Json
from mainspring_schema.tasks import EmitEvent, ReasonTask, ToolCall, ToolTask
from mainspring_worker.domain.limits import HOOK_SUBJECT_BYTES_MAX
from mainspring_worker.ports.hooks import HookFailed, HookRunner
from mainspring_worker.usecases.holding import Holdings
from mainspring_workstream.attempt import Attempt

_LOG: Final = logging.getLogger(__name__)


class Asked(Struct, frozen=True, kw_only=True):
    """Where a turn stands, and whose rules hold."""

    attempt: Attempt
    payload: ReasonTask | ToolTask
    plan: Blueprint


class Blocked(Exception):
    """A hook, or the want of its answer, says no. The text is for the model and for people."""


class Hooks:
    """One per worker. Without `holdings` no hook can be signed."""

    def __init__(self, runner: HookRunner, holdings: Holdings | None = None) -> None:
        self._runner = runner
        self._holdings = holdings

    async def prompt(self, at: Asked, messages: tuple[PromptMessage, ...]) -> None:
        """Of the inputs that this call takes up. Raises Blocked."""
        if hooks(at.plan.applied) and (texts := _taken_up(messages)):
            await self._pass(at, "user_prompt_submit", {"text": "\n".join(texts)})

    async def call(self, at: Asked, call: ToolCall) -> ToolCall:
        """The call as it may be made: with other arguments, or refused."""
        if call.problem is not None:
            return call
        about: Json = {"tool_name": call.name, "tool_call_id": call.id, "arguments": call.arguments}
        try:
            changed = await self._pass(
                at, "pre_tool_use", about, tool=call.name, member="arguments"
            )
        except Blocked as blocked:
            return structs.replace(call, problem=str(blocked), appeal=None)
        if changed is None:
            return call
        arguments = changed["arguments"]
        definition = at.plan.tools[call.name].definition
        schema = definition.full_parameters or definition.parameters
        if wrong := problems(call.name, schema, arguments):
            problem = f"the arguments of a hook do not fit: {'; '.join(wrong)}"
            return structs.replace(call, problem=problem, appeal=None)
        return structs.replace(call, arguments=arguments)

    async def text(self, at: Asked, text: str) -> str:
        """The last answer as it may be seen. Raises Blocked."""
        changed = await self._pass(at, "turn_end", {"text": text}, member="text")
        return text if changed is None else str(changed["text"])

    async def result(self, at: Asked, name: str, told: Json) -> Json | None:
        """Another result of a call, None where it stays. Raises Blocked."""
        return await self._pass(at, "post_tool_use", told, tool=name, member="result")

    async def _pass(
        self,
        at: Asked,
        point: Point,
        about: Json,
        *,
        tool: str | None = None,
        member: str | None = None,
    ) -> Json | None:
        """Asks one after another, each about what the one before left. None where all is as it was.

        Raises Blocked.
        """
        before = about
        for hook in hooks(at.plan.applied):
            if not hook.looks_at(point, tool):
                continue
            said = await self._ask(at, hook, about)
            if said.decision == "block":
                await _tell(at, hook, "blocked", said.reason)
                message = f"blocked by a hook ({hook.id}){': ' * bool(said.reason)}{said.reason}"
                raise Blocked(message)
            if said.decision == "mutate" and member is not None:
                about = {**about, member: said.value}
                await _tell(at, hook, "changed", said.reason)
        return None if about is before else about

    async def _ask(self, at: Asked, hook: Hook, about: Json) -> Verdict:
        try:
            subject = _subject(at, hook, about)
            async with asyncio.timeout(hook.timeout_ms / 1000):
                secret = await self._secret(at, hook)
                network = at.plan.agent.network_access
                answer = await self._runner.ask(hook, subject, network, secret)
            return _read(hook, answer)
        except (HookFailed, TimeoutError, MainspringError) as error:
            why = str(error) or f"no answer within {hook.timeout_ms} ms"
            _LOG.warning("a hook failed: %s", why, extra={"hook": hook.id})
            if hook.on_error != "allow":
                await _tell(at, hook, "failed", why)
            return Verdict(decision="block" if hook.on_error == "block" else "allow", reason=why)

    async def _secret(self, at: Asked, hook: Hook) -> str | None:
        """What it is signed with, None where nothing is. Raises HookFailed, MainspringError."""
        if not hook.secret:
            return None
        found = None
        if self._holdings is not None:
            resources = self._holdings.of(at.attempt.held, f"hook:{hook.id}")
            found = (await resources.ask(OpenSecret(name=hook.secret))).value
        if found is None:
            message = f"the session has no secret {hook.secret!r} to sign with"
            raise HookFailed(message)
        return found


def _read(hook: Hook, answer: bytes) -> Verdict:
    """Raises HookFailed for an answer that means nothing here."""
    try:
        said = verdict(answer)
    except ValueError as error:
        message = "the answer is no verdict"
        raise HookFailed(message) from error
    if said.decision != "mutate":
        return said
    if hook.point == "user_prompt_submit":
        message = "a message can be blocked, not changed"
        raise HookFailed(message)
    if hook.point == "turn_end" and not (isinstance(said.value, str) and said.value):
        message = "an answer can only be changed to another text"
        raise HookFailed(message)
    return said


def _subject(at: Asked, hook: Hook, about: Json) -> bytes:
    """What a hook reads. `id` is the same in every attempt, for hooks that must not act twice."""
    payload = at.payload
    call = about.get("tool_call_id", "")
    turn = to_wire(Prefix.TURN, payload.turn_id)
    body = to_json(
        {
            "id": f"{turn}:{payload.iteration}:{hook.point}:{call}:{hook.id}",
            "event": hook.point,
            "hook_id": hook.id,
            "session_id": to_wire(Prefix.SESSION, at.attempt.task.session_id),
            "turn_id": turn,
            **about,
        }
    )
    if len(body) > HOOK_SUBJECT_BYTES_MAX:
        message = f"what it is asked about is over {HOOK_SUBJECT_BYTES_MAX} bytes"
        raise HookFailed(message)
    return body


def _taken_up(messages: tuple[PromptMessage, ...]) -> list[str]:
    """The inputs behind the last answer or result: no call of the model has seen them."""
    texts: list[str] = []
    for message in reversed(messages):
        match message:
            case UserMessage():
                texts.append(message.text)
            case FactsMessage():
                continue
            case _:
                break
    return texts[::-1]


async def _tell(at: Asked, hook: Hook, outcome: str, reason: str) -> None:
    data: Json = {
        "turn_id": to_wire(Prefix.TURN, at.payload.turn_id),
        "hook_id": hook.id,
        "event": hook.point,
        "reason": reason,
    }
    await at.attempt.emit(EmitEvent(type=f"hook.{outcome}", data=data))
