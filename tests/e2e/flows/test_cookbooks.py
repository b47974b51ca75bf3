"""The scripts of the SDK's cookbook and examples, call by call, each of them twice in a row."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import ParamSpec

import httpx
import pytest
from everruns_sdk import Everruns
from everruns_sdk.errors import NotFoundError
from everruns_sdk.models import (
    AgentCapabilityConfig,
    ContentPart,
    Event,
    InitialFile,
    ToolDefinition,
)
from everruns_sdk.sse import EventStream, StreamOptions

from tests.e2e.flows.sdk import OUTCOMES, PATIENCE_S, types

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:Everruns:DeprecationWarning"),
]
P = ParamSpec("P")
TIMES = 2
"""A script must find what it made before in order: its names are taken, its agents archived."""
WEATHER = ToolDefinition(
    type="client_side",
    name="get_weather",
    description="The weather of a city",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)


class Calls:
    """What went over the wire, in the order in which it was answered."""

    def __init__(self) -> None:
        self._made: list[str] = []
        self._news = asyncio.Condition()

    async def note(self, request: httpx.Request) -> None:
        target = request.url.raw_path.decode().removeprefix("/api/v1")
        async with self._news:
            self._made.append(f"{request.method} {re.sub(r'[a-z]+_[0-9a-f]{32}', '*', target)}")
            self._news.notify_all()

    async def until(self, call: str) -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: call in self._made)

    def taken(self) -> list[str]:
        """Since the last time."""
        made, self._made = self._made, []
        return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The SDK opens a client of its own for each stream, so all of them are listened to."""
    calls = Calls()

    def noting(
        send: Callable[P, Awaitable[httpx.Response]],
    ) -> Callable[P, Awaitable[httpx.Response]]:
        async def sent(*arguments: P.args, **options: P.kwargs) -> httpx.Response:
            answer = await send(*arguments, **options)
            await calls.note(answer.request)
            return answer

        return sent

    monkeypatch.setattr(httpx.AsyncClient, "send", noting(httpx.AsyncClient.send))
    return calls


async def told(stream: EventStream, last: Callable[[Event], bool]) -> AsyncGenerator[Event]:
    """The stream up to its last event that a script wants."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream:
                yield event
                if last(event):
                    return
    finally:
        stream.stop()
        await stream.aclose()


def is_outcome(event: Event) -> bool:
    return event.type in OUTCOMES


async def test_the_example_of_dad_jokes_has_one_answer(client: Everruns, calls: Calls) -> None:
    for _ in range(TIMES):
        agent = await client.agents.create("dad-jokes-bot-py", "You tell dad jokes.")
        session = await client.sessions.create(agent_id=agent.id)
        await client.messages.create(session.id, "Tell me a dad joke")
        stream = EventStream(client, session.id, StreamOptions(max_retries=3))
        seen = [event async for event in told(stream, is_outcome)]

        assert calls.taken() == [
            "POST /agents",
            "POST /sessions",
            "POST /sessions/*/messages",
            "GET /sessions/*/sse",
        ]
        assert types(seen)[0] == "input.message"
        assert types(seen).count("output.message.completed") == 1
        assert types(seen)[-1] == "turn.completed"
        listed = await client.messages.list(session.id)
        assert [one.role for one in listed] == ["user", "agent"]
        calls.taken()


async def test_the_example_of_weather_tools_brings_results(client: Everruns, calls: Calls) -> None:
    for _ in range(TIMES):
        agent = await client.agents.create("weather-py", "Use the tool.", tools=[WEATHER])
        session = await client.sessions.create(agent_id=agent.id, tools=[WEATHER])
        before = await client.events.list(session.id)
        stream = client.events.stream(session.id, since_id=before[-1].id)
        # The message is sent under an open stream, so that nothing of its turn is history.
        watching = asyncio.create_task(answer_calls(client, session.id, stream))
        await calls.until("GET /sessions/*/sse?since_id=*")
        await client.messages.create(session.id, "What is the weather in Paris?")
        seen = await watching

        assert calls.taken() == [
            "POST /agents",
            "POST /sessions",
            "GET /sessions/*/events",
            "GET /sessions/*/sse?since_id=*",
            "POST /sessions/*/messages",
            "POST /sessions/*/tool-results",
        ]
        assert types(seen)[0] == "input.message"
        assert types(seen)[-1] == "turn.completed"
        results = [event for event in seen if event.type == "tool.completed"]
        assert [event.data["success"] for event in results] == [True]
        assert "sunny" in str((await client.messages.list(session.id))[-1].content)
        calls.taken()


async def answer_calls(client: Everruns, session_id: str, stream: EventStream) -> list[Event]:
    seen: list[Event] = []
    async for event in told(stream, is_outcome):
        seen.append(event)
        if event.type == "tool.call_requested":
            answers = [
                ContentPart.make_tool_result(call.id, {"city": "Paris", "sky": "sunny"})
                for call in event.tool_calls()
            ]
            answered = await client.messages.create_tool_results(session_id, answers)
            assert answered.accepted == len(answers) == 1
    return seen


async def test_the_basic_example_deletes_a_turn_at_work(client: Everruns, calls: Calls) -> None:
    """It is content with the first answer, which is the tool call."""
    clock = [AgentCapabilityConfig(ref="current_time")]
    for _ in range(TIMES):
        agent = await client.agents.create("example-assistant", "Help.", capabilities=clock)
        session = await client.sessions.create(agent_id=agent.id, capabilities=clock)
        await client.messages.create(session.id, "What time is it right now?")
        stream = client.events.stream(session.id)
        seen = [event async for event in told(stream, answered_or_over)]
        await client.sessions.delete(session.id)
        await client.agents.delete(agent.id)

        assert calls.taken() == [
            "POST /agents",
            "POST /sessions",
            "POST /sessions/*/messages",
            "GET /sessions/*/sse",
            "DELETE /sessions/*",
            "DELETE /agents/*",
        ]
        assert types(seen)[-1] == "output.message.completed"
        assert (await client.agents.get(agent.id)).status == "archived"
        with pytest.raises(NotFoundError):
            await client.sessions.get(session.id)
        calls.taken()


def answered_or_over(event: Event) -> bool:
    return event.type == "output.message.completed" or event.type in OUTCOMES


async def test_the_example_of_initial_files_leaves_nothing(client: Everruns, calls: Calls) -> None:
    for _ in range(TIMES):
        agent = await client.agents.create("initial-files-example", "Read the files.")
        session = await client.sessions.create(
            agent_id=agent.id,
            title="Session with starter files",
            initial_files=[
                InitialFile(
                    path="/workspace/README.md",
                    content="# Demo\n",
                    encoding="text",
                    is_readonly=True,
                ),
                InitialFile(path="/workspace/src/app.py", content="x = 1\n", encoding="text"),
            ],
        )
        await client.messages.create(session.id, "Summarize the project.")
        await client.sessions.delete(session.id)
        await client.agents.delete(agent.id)

        assert calls.taken() == [
            "POST /agents",
            "POST /sessions",
            "POST /sessions/*/messages",
            "DELETE /sessions/*",
            "DELETE /agents/*",
        ]
        with pytest.raises(NotFoundError):
            await client.messages.list(session.id)
        calls.taken()


async def test_the_example_of_workspaces_reads_its_file(client: Everruns, calls: Calls) -> None:
    for _ in range(TIMES):
        workspace = await client.workspaces.create(
            "workspaces-example-py", description="Shared files for the team"
        )
        files = client.workspace_files
        await files.create(workspace.id, "/notes/welcome.md", "# Welcome\n", encoding="text")
        file = await files.read(workspace.id, "/notes/welcome.md")
        listed = await files.list(workspace.id, recursive=True)
        await client.workspaces.delete(workspace.id)

        assert calls.taken() == [
            "POST /workspaces",
            "POST /workspaces/*/fs/notes/welcome.md",
            "GET /workspaces/*/fs/notes/welcome.md",
            "GET /workspaces/*/fs?recursive=true",
            "DELETE /workspaces/*",
        ]
        assert file.content == "# Welcome\n"
        assert [one.path for one in listed] == ["/notes", "/notes/welcome.md"]
