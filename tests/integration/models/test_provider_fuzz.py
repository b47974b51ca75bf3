"""Streams that came garbled: an answer or a failure of ours, and nothing else, in time."""

import asyncio
import random
from contextlib import suppress

from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from mainspring_worker.ports.model import ModelFailure
from tests.integration.models.asking import TOOL, each_dialect, last, name_of, read, request
from tests.integration.models.provider import Answer, Send, provider
from tests.integration.models.said import Call, Dialect, Said

STREAMS = 40
"""Garbled ones per provider, the same in each run."""
PATIENCE_S = 20.0
SAID = Said(
    texts=("one ", "two é "),
    calls=(Call(name="add", fragments=('{"a"', ":1}")),),
    finish="tool_call",
)


def garbled(events: list[bytes], draws: random.Random) -> bytes:
    """One wrong thing in the whole stream, or several."""
    events = list(events)
    for _ in range(draws.choice((1, 1, 2, 4))):
        at = draws.randrange(len(events))
        event = bytearray(events[at])
        match draws.choice(("cut", "flip", "drop", "double", "swap", "null", "deep")):
            case "cut":
                event = event[: draws.randrange(len(event) + 1)]
            case "flip" if event:
                event[draws.randrange(len(event))] = draws.randrange(256)
            case "drop":
                event = bytearray()
            case "double":
                event = event * 2
            case "swap":
                other = draws.randrange(len(events))
                event, events[other] = bytearray(events[other]), bytes(event)
            case "null":
                event = event.replace(b'"', b"null", 1).replace(b":{", b":null,{", 1)
            case _:
                event = event.replace(b"{", b'{"deep":' + b"[" * 5000 + b"]" * 5000 + b",", 1)
        events[at] = bytes(event)
    return b"".join(events)


@each_dialect
async def test_a_garbled_stream_is_an_answer_or_a_failure(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    draws = random.Random(name_of(dialect))
    events = list(dialect.events(SAID))
    async with provider(Answer()) as fake:
        for number in range(STREAMS):
            stream = garbled(events, draws)
            fake.answer = Answer([Send(stream)] if stream else [])
            with suppress(ModelFailure):
                async with asyncio.timeout(PATIENCE_S):
                    asked = request(dialect, fake, tools=(TOOL,))
                    items = await read(drivers[dialect.driver], asked)
                assert last(items).finish_reason is not None, (number, stream)
