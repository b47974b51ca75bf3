"""Makes sure that an answer says something, and fits the agent's schema if there is one.

The model is told what is wrong and asked again, a bounded number of times. Nobody watches these
calls; people who saw the first answer are told what replaces it.
"""

from typing import Final, Protocol

from msgspec import Struct, structs

from mainspring_harness.builtin import structured_output
from mainspring_harness.builtin.structured_output import Shape, bare, complaint
from mainspring_harness.conversation import AssistantMessage, PromptMessage, UserMessage
from mainspring_harness.prompt import Blueprint
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.events import Usage
from mainspring_schema.messages import Json, TextPart
from mainspring_schema.tasks import EmitEvent, ReasonTask, ToolCall
from mainspring_worker.ports.failures import Kind
from mainspring_worker.ports.failures import failure as failed
from mainspring_worker.ports.model import Done, ModelFailure, ModelRequest
from mainspring_worker.usecases.asking import ModelDoor
from mainspring_worker.usecases.tab import Tab
from mainspring_workstream.attempt import Attempt

EMPTY_ANSWERS_MAX: Final = 2
"""An answer that says nothing and calls nothing is asked for again so often: as unusable calls."""
_SAY_SOMETHING: Final = "Your answer was empty. Answer with a text, or call a tool."


class Guarded(Struct, frozen=True, kw_only=True):
    """An answer's words and calls, as far as its checks have come."""

    text: str
    calls: tuple[ToolCall, ...] = ()


class Answered(Protocol):
    """A model call that came to its end."""

    attempt: Attempt
    payload: ReasonTask
    request: ModelRequest
    plan: Blueprint
    done: Done | None
    usage: Usage
    helper_calls: int
    tab: Tab

    def answered(self) -> Guarded:
        """What the model said, before anybody looked at it."""
        ...


def schema_of(plan: Blueprint) -> Json | None:
    """What the agent's answers must fit, None where they need not."""
    wanted = structured_output.shape(plan.applied)
    return None if wanted is None else wanted.schema


class Shaper:
    """One per worker."""

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    async def shape(self, call: Answered) -> bool:
        """Puts an answer that fits in the place of one that does not, and adds what that cost.

        Whether the text is another one now. An answer that calls tools need not fit. Raises
        ModelFailure (`structured_output_invalid`, and `invalid_model_output` where the model has
        nothing to say) where none fits, and what the calls raise.
        """
        wanted = structured_output.shape(call.plan.applied)
        first = call.done
        if first is None or first.tool_calls:
            return False
        if wanted is None:
            call.done = await self._filled(call, first)
            return False
        done = first
        for _ in range(wanted.repairs_max):
            problems = _problems(wanted, done)
            if not problems:
                break
            done = await self._again(call, bare(done.text), complaint(problems))
        if _problems(wanted, done):
            # Without what was found: it may quote what a guardrail would have withheld.
            tries = wanted.repairs_max + 1
            raise failed(Kind.UNFIT_OUTPUT, f"no answer of {tries} fitted the agent's schema")
        call.done = structs.replace(done, text=bare(done.text))
        return call.done.text != first.text

    async def _filled(self, call: Answered, first: Done) -> Done:
        """An answer with a text or a call, in the place of one that has neither."""
        done = first
        for _ in range(EMPTY_ANSWERS_MAX):
            if done.text.strip() or done.tool_calls:
                return done
            done = await self._again(call, "", _SAY_SOMETHING)
        if done.text.strip() or done.tool_calls:
            return done
        raise failed(Kind.BAD_OUTPUT, "the model answered with neither a text nor a call")

    async def _again(self, call: Answered, text: str, complaint: str) -> Done:
        """The next answer. Only the newest refused one is shown: the prompt does not grow."""
        told = UserMessage(message_id="", content=(TextPart(text=complaint),))
        # Providers refuse an empty answer in a conversation.
        refused = (AssistantMessage(message_id="", text=text),) if text else ()
        messages: tuple[PromptMessage, ...] = (*call.request.messages, *refused, told)
        await call.attempt.leased()
        call.helper_calls += 1
        try:
            done = await self._door.whole(structs.replace(call.request, messages=messages))
        except ModelFailure as error:
            call.usage = call.usage.plus(error.usage or Usage())
            # The sum of all stands in the call; the error's own would replace it.
            raise ModelFailure(error.failure) from error
        call.usage = call.usage.plus(done.usage)
        return done


def _problems(wanted: Shape, done: Done) -> tuple[str, ...]:
    if done.tool_calls:
        return ("it calls a tool",)
    return wanted.problems(bare(done.text))


async def tell(call: Answered, replacement: str, *, by: str, reason: str) -> None:
    """People who saw the first answer come are told what stands in its place."""
    data: Json = {
        "turn_id": to_wire(Prefix.TURN, call.payload.turn_id),
        "message_id": to_wire(Prefix.MESSAGE, call.payload.message_id),
        "guardrail_id": by,
        "guardrail_capability_id": by,
        "reason_code": reason,
        "replacement": replacement,
    }
    await call.attempt.emit(EmitEvent(type="output.message.replaced", data=data))
