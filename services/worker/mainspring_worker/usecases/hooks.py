"""Asks an agent's hooks at the points of a turn, and does as they say."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct, structs

from mainspring_harness.arguments import problems
from mainspring_harness.builtin.user_hooks import verdict
from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    UserMessage,
)
from mainspring_harness.hooking import hooks
from mainspring_harness.prompt import Blueprint
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Position, Prefix, to_wire
from mainspring_schema.codec import to_json
from mainspring_schema.events import decode_payload
from mainspring_schema.holdings import OpenSecret
from mainspring_schema.hooks import Hook, Point, Verdict
from mainspring_schema.messages import Json
from mainspring_schema.tasks import EmitEvent, ReasonTask, ToolCall, ToolTask
from mainspring_worker.domain.limits import HOOK_SUBJECT_BYTES_MAX
from mainspring_worker.ports.eventlog import EventLog
from mainspring_worker.ports.hooks import HookFailed, HookRunner
from mainspring_worker.usecases.holding import Holdings
from mainspring_workstream.attempt import Attempt

_LOG: Final = logging.getLogger(__name__)
_BEGINS: Final = "session_start"
_OUTCOMES: Final[dict[str, Literal["allowed", "blocked"] | None]] = {
    "hook.asked": None,
    "hook.allowed": "allowed",
    "hook.blocked": "blocked",
}
_FIXED: Final[dict[Point, str]] = {
    "session_start": "a session's beginning",
    "user_prompt_submit": "a message",
}
"""What a hook may only refuse."""


class _Told(Struct, frozen=True, kw_only=True):
    outcome: Literal["allowed", "blocked"]
    reason: str


class _Noted(Struct, frozen=True, kw_only=True):
    """The data of the events of hooks."""

    event: str
    hook_id: str
    reason: str = ""


_NOTED: Final = msgspec.json.Decoder(_Noted)


class Asked(Struct, frozen=True, kw_only=True):
    """Where a turn stands, and whose rules hold."""

    attempt: Attempt
    payload: ReasonTask | ToolTask
    plan: Blueprint


class Blocked(Exception):
    """A hook, or the want of its answer, says no. The text is for the model and for people."""


class Hooks:
    """One per worker. Without `holdings` no hook can be signed."""

    def __init__(self, runner: HookRunner, log: EventLog, holdings: Holdings | None = None) -> None:
        self._runner = runner
        self._log = log
        self._holdings = holdings

    async def session(self, at: Asked, messages: tuple[PromptMessage, ...]) -> None:
        """Of a session that begins: before anything was answered in it.

        Each hook is asked once in the life of the session, which is written down before; what it
        said then holds for every turn until one is answered. Where a worker was lost with the
        answer, it counts as one that did not come. Raises Blocked, Unavailable, DeadlineExceeded.
        """
        wanted = [hook for hook in hooks(at.plan.applied) if hook.point == _BEGINS]
        if not wanted or any(isinstance(one, AssistantMessage) for one in messages):
            return
        earlier = await self._begun(at, [hook.id for hook in wanted])
        for hook in wanted:
            outcome = earlier.get(hook.id) or await self._begin(at, hook, earlier)
            if outcome.outcome == "blocked":
                raise Blocked(_refusal(hook, outcome.reason))

    async def _begin(self, at: Asked, hook: Hook, earlier: dict[str, "_Told | None"]) -> "_Told":
        if hook.id in earlier:
            said = await _failed(at, hook, "the worker that asked was lost")
        else:
            await _tell(at, hook, "asked", "")
            said = await self._ask(at, hook, {"agent_id": at.plan.agent.agent_id})
        blocks = said.decision == "block"
        await _tell(at, hook, "blocked" if blocks else "allowed", said.reason)
        return _Told(outcome="blocked" if blocks else "allowed", reason=said.reason)

    async def _begun(self, at: Asked, wanted: Sequence[str]) -> dict[str, "_Told | None"]:
        """What the hooks said that were asked already; None for one whose answer is not known.

        They were asked in the session's first turn, so what they said stands near its beginning:
        a session that stays refused reads no more of its log than another one.
        """
        found: dict[str, _Told | None] = {}
        task, after = at.attempt.task, Position(0)
        while True:
            page = await self._log.read(task.session_id, task.org_id, after=after, events_only=True)
            for event in page.events:
                if event.type in _OUTCOMES:
                    data = _NOTED.decode(decode_payload(event.payload).data)
                    if data.event == _BEGINS:
                        outcome = _OUTCOMES[event.type]
                        known = _Told(outcome=outcome, reason=data.reason) if outcome else None
                        found[data.hook_id] = known
            if _settled(found, wanted) or not page.more or not page.events:
                return found
            after = Position(page.events[-1].seq)

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
                raise Blocked(_refusal(hook, said.reason))
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
            return await _failed(at, hook, why)

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


def _settled(found: Mapping[str, _Told | None], wanted: Sequence[str]) -> bool:
    """Whether nothing that is still unread can say more: all have allowed it, or one has not."""
    known = [found.get(id_) for id_ in wanted]
    return all(known) or any(said is not None and said.outcome == "blocked" for said in known)


def _refusal(hook: Hook, reason: str) -> str:
    return f"blocked by a hook ({hook.id}){': ' * bool(reason)}{reason}"


async def _failed(at: Asked, hook: Hook, why: str) -> Verdict:
    """What an answer that does not come counts as."""
    _LOG.warning("a hook failed: %s", why, extra={"hook": hook.id})
    if hook.on_error != "allow":
        await _tell(at, hook, "failed", why)
    return Verdict(decision="block" if hook.on_error == "block" else "allow", reason=why)


def _read(hook: Hook, answer: bytes) -> Verdict:
    """Raises HookFailed for an answer that means nothing here."""
    try:
        said = verdict(answer)
    except ValueError as error:
        message = "the answer is no verdict"
        raise HookFailed(message) from error
    if said.decision != "mutate":
        return said
    if hook.point in _FIXED:
        message = f"{_FIXED[hook.point]} can be blocked, not changed"
        raise HookFailed(message)
    if said.value is UNSET:
        message = "the answer changes something, and has no value"
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
    session = to_wire(Prefix.SESSION, at.attempt.task.session_id)
    begins = f"{session}:{hook.point}:{hook.id}"
    within = f"{turn}:{payload.iteration}:{hook.point}:{call}:{hook.id}"
    body = to_json(
        {
            "id": begins if hook.point == _BEGINS else within,
            "event": hook.point,
            "hook_id": hook.id,
            "session_id": session,
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
