"""The published SDK, unchanged, against a stack as its user starts it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from everruns_sdk import Everruns
from everruns_sdk.models import Event

from mainspring_testkit.servers import free_port
from tests.e2e.stacks import READY, Stack

VERBS = ("up",)
PATIENCE_S = 45.0
OUTCOMES = {"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"}


def started(verb: str, home: Path) -> Iterator[str]:
    """The base URL of a running stack; MAINSPRING_E2E_URL names one that runs already."""
    running = os.environ.get("MAINSPRING_E2E_URL")
    if running:
        yield running
        return
    port = free_port()
    stack = Stack(verb, home=home, MAINSPRING_API_PORT=str(port))
    stack.wait_line(READY)
    yield f"http://127.0.0.1:{port}/api"
    stack.send(signal.SIGTERM)
    assert stack.wait() == 0


@pytest.fixture(scope="module", params=VERBS)
def base_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    verb = str(request.param)
    yield from started(verb, tmp_path_factory.mktemp(verb))


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[Everruns]:
    async with Everruns(api_key="fake-key", base_url=base_url) as client:
        yield client


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
