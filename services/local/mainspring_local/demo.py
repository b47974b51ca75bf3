"""One turn with tool calls, printed as it streams."""

import time
from collections.abc import Awaitable, Callable

import msgspec

from mainspring_local.client import Api, Event
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_schema.events import OUTCOME_TYPES

AGENT = {
    "name": "demo-assistant",
    "display_name": "Demo assistant",
    "description": "Shows a turn with tool calls; made by `./task up`.",
    "system_prompt": "You are a friendly assistant. Use your tools, then answer in one sentence.",
    "capabilities": [{"ref": "current_time"}, {"ref": "test_math"}, {"ref": "test_weather"}],
}
UNHURRIED = '\n```llmsim\n{"latency": {"ttft_ms": 150, "token_ms": 60}}\n```'
"""For the system prompt: the simulator streams slowly enough to be cut in the middle."""
QUESTION = "What is the weather in Lisbon, and what time is it there?"
SIMULATOR = "llmsim"
SIMULATOR_MODEL = "llmsim-latency"  # streams at a pace one can watch
RESULT_CHARACTERS_SHOWN = 160
MISCONFIGURED = "provider_misconfigured"
KEYS_ADVICE = (
    "set the provider's key and start again: OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY"
)
Watcher = Callable[[Event], Awaitable[None]]


class ToolCall(msgspec.Struct, frozen=True):
    id: str
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Model(msgspec.Struct, frozen=True):
    id: str
    model_id: str
    provider_type: str
    provider_name: str = ""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """How the demo turn went."""

    session_id: str
    outcome: str
    seconds: float


async def run(
    api: Api, console: Console, *, provider: str | None, watch: Watcher, unhurried: bool = False
) -> Turn:
    """Carries one question to its outcome; `watch` sees every event first. Raises StartProblem."""
    model_id = await choose_model(api, provider or SIMULATOR)
    agent_id = await api.create("/agents", AGENT)
    session = {"agent_id": agent_id, "title": "Demo", "model_id": model_id}
    if unhurried:
        session["system_prompt"] = UNHURRIED
    session_id = await api.create("/sessions", session)
    console.line("user", QUESTION)
    began = time.monotonic()
    content = [{"type": "text", "text": QUESTION}]
    await api.create(
        f"/sessions/{session_id}/messages", {"message": {"role": "user", "content": content}}
    )
    printer = Printer(console)
    async for event in api.events(session_id):
        await watch(event)
        printer.show(event)
        if event.type in OUTCOME_TYPES:
            took = time.monotonic() - began
            return Turn(session_id=session_id, outcome=event.type, seconds=took)
    raise StartProblem(f"the event stream of {session_id} ended without an outcome")


async def choose_model(api: Api, provider: str) -> str:
    """The provider's first model, the watchable one of the simulator. Raises StartProblem."""
    models = await api.list("/models", Model)
    fitting = [model for model in models if provider in (model.provider_type, model.provider_name)]
    fitting.sort(key=lambda model: model.model_id != SIMULATOR_MODEL)
    if not fitting:
        known = ", ".join(sorted({model.provider_type for model in models}))
        raise StartProblem(f"there is no provider {provider}; --provider takes one of {known}")
    return fitting[0].id


class Printer:
    """Turns events into lines a person follows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._streamed: set[str] = set()

    def show(self, event: Event) -> None:
        match event.type:
            case "output.message.delta":
                self._delta(event)
            case "output.message.completed":
                self._message(event)
            case "tool.started":
                call = msgspec.json.decode(event.data["tool_call"], type=ToolCall)
                self._console.line("tool", f"{call.name} {bytes(call.arguments).decode()}")
            case "tool.completed":
                self._tool_completed(event)
            case "reason.recovered":
                self._console.line("recovered", f"the answer goes on: {event.text('mode')}")
            case "turn.completed" | "turn.failed" | "turn.cancelled" | "turn.sealed":
                self._console.line("outcome", f"{event.type} {event.text('error')}".rstrip())
                if event.type == "turn.failed" and event.text("error_code") == MISCONFIGURED:
                    self._console.say(KEYS_ADVICE)
            case _:
                return

    def _delta(self, event: Event) -> None:
        message_id = event.text("message_id")
        if message_id not in self._streamed:
            self._streamed.add(message_id)
            self._console.begin("agent")
        self._console.more(event.text("delta"))

    def _message(self, event: Event) -> None:
        """A message that was complete before its first delta was due comes whole."""
        message = msgspec.json.decode(event.data["message"], type=Message)
        text = "".join(part.text for part in message.content if part.type == "text")
        if text and message.id not in self._streamed:
            self._console.line("agent", text)

    def _tool_completed(self, event: Event) -> None:
        shown = bytes(event.data.get("result") or event.data.get("error") or b"").decode()
        name, status = event.text("tool_name"), event.text("status")
        self._console.line("tool", f"{name} {status} {shown[:RESULT_CHARACTERS_SHOWN]}")


class Part(msgspec.Struct, frozen=True):
    type: str
    text: str = ""


class Message(msgspec.Struct, frozen=True):
    id: str
    content: list[Part]
