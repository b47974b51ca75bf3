"""The published SDK, unchanged, as its users drive it."""

import asyncio

from everruns_sdk import Everruns
from everruns_sdk.models import Event

PATIENCE_S = 45.0
OUTCOMES = {"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"}


async def until(
    client: Everruns, session_id: str, wanted: set[str], *, since_id: str | None = None
) -> list[Event]:
    """Everything the stream gives up to the first of these types."""
    found: list[Event] = []
    async with asyncio.timeout(PATIENCE_S):
        stream = client.events.stream(session_id, since_id=since_id)
        try:
            async for event in stream:
                found.append(event)
                if event.type in wanted:
                    return found
        finally:
            stream.stop()
            await stream.aclose()
    return found


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]
