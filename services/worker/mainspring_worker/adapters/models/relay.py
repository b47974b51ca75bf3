"""The relay: no model, but what makes a background call a turn like any other.

Its first answer of a turn asks for the call that the session's message names, its second is what
came of it. A call without success fails the turn, so that whoever looks at the task sees it failed;
a turn that is begun in its place calls again.
"""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from mainspring_harness.builtin.background_execution import Relayed
from mainspring_harness.conversation import ToolReply, UserMessage
from mainspring_schema.discovery import FoundModels
from mainspring_schema.limits import TASK_RESULT_CHARS_MAX
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import (
    Done,
    ModelItem,
    ModelRequest,
    OfferRequest,
    RawToolCall,
    TextDelta,
)

_RELAYED: Final = msgspec.json.Decoder(Relayed)


class Relay:
    """The driver `relay`."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        replies = [one for one in request.messages if isinstance(one, ToolReply)]
        if request.iteration == 1 or not replies:
            yield Done(tool_calls=(_asked(request),), finish_reason="tool_call")
            return
        reply = replies[-1]
        if reply.status != "success":
            raise failure(Kind.CALL_FAILED, reply.text)
        text = reply.text[:TASK_RESULT_CHARS_MAX]
        yield TextDelta(text)
        yield Done(text=text, finish_reason="stop")

    async def offered(self, request: OfferRequest) -> FoundModels:
        del request  # there is no provider behind it
        return FoundModels()

    async def aclose(self) -> None:
        """Holds no connection."""


def _asked(request: ModelRequest) -> RawToolCall:
    message = next((one for one in request.messages if isinstance(one, UserMessage)), None)
    try:
        relayed = _RELAYED.decode("" if message is None else message.text)
    except msgspec.MsgspecError:
        raise failure(Kind.CALL_FAILED, "the message names no call") from None
    arguments = msgspec.json.encode(relayed.arguments).decode()
    return RawToolCall(name=relayed.tool, arguments=arguments)
