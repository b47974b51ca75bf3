"""Decides what the simulator answers: pure, from the request alone, the same in every attempt."""

import hashlib
import re
from itertools import cycle, islice
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_worker.adapters.models.llmsim import guessing
from mainspring_worker.adapters.models.llmsim.script import (
    Latency,
    Script,
    ScriptedCall,
    Step,
    has_script,
    parse,
    step_at,
    without_script,
)
from mainspring_worker.ports.model import ModelRequest

FIXED_TEXT: Final = "Hello! I'm a simulated LLM response."
_QUOTE_CHARS_MAX: Final = 2000
_FORBIDDEN: Final = "forbidden"
_SUMMARY: Final = "A simulated summary. It began: "
_LOREM_TOKENS: Final = 50
_LOREM_TOKENS_MAX: Final = 20_000
_LOREM: Final[list[str]] = re.findall(
    r"\w+",
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut"
    " labore et dolore magna aliqua",
)


class Scene(Struct, frozen=True):
    """What the simulator looks at: the newest input, and this turn's calls and newest results.

    `answers` counts the model's answers after the newest input.
    """

    text: str
    called: tuple[str, ...]
    replies: tuple[ToolReply, ...]
    answers: int


class Reply(Struct, frozen=True):
    """The decided answer, and how fast it shall come where a script says so."""

    step: Step
    latency: Latency | None = None


def answer(request: ModelRequest) -> Reply:
    """Raises ModelFailure for a script that cannot be read or is at its end."""
    scene = look(request)
    if (step := _for_us(request, scene)) is not None:
        return Reply(step)
    script = parse(scene.text)
    played = scene.answers
    if script is None and has_script(request.system):
        script = parse(request.system)
        played = sum(isinstance(message, AssistantMessage) for message in request.messages)
    if script is None:
        return Reply(by_name(request, scene))
    if script.scope == "turn":
        played = request.iteration - 1
    return Reply(_scripted(script, scene, request, played), script.latency)


def _for_us(request: ModelRequest, scene: Scene) -> Step | None:
    """What the worker itself asks for: never what a script of the conversation says."""
    match request.metadata.get("purpose"):
        case "compaction":
            return Step(text=f"{_SUMMARY}{scene.text[:_QUOTE_CHARS_MAX]}")
        case "guardrail":
            return Step(text="BLOCK" if _FORBIDDEN in scene.text.lower() else "ALLOW")
        case _:
            return None


def look(request: ModelRequest) -> Scene:
    """Reads back from the newest message to the first of this turn: never the whole session."""
    turn = to_wire(Prefix.TURN, request.turn_id)
    text: str | None = None
    called: list[str] = []
    replies: list[ToolReply] = []
    answers = 0
    for message in reversed(request.messages):
        match message:
            case UserMessage():
                text = message.text if text is None else text
            case AssistantMessage():
                if message.turn_id != turn and text is not None:
                    break
                called.extend(call.name for call in message.tool_calls)
                answers += text is None
            case ToolReply():
                if answers == 0:
                    replies.append(message)
            case FactsMessage():
                pass
    return Scene(text or "", tuple(called), tuple(reversed(replies)), answers)


def by_name(request: ModelRequest, scene: Scene) -> Step:
    """What a model does by its name (`llmsim-echo`, `-lorem`, `-empty`, `-fixed`), or `helpful`."""
    kinds = request.choice.model.lower().split("-")
    if "echo" in kinds:
        return Step(text=f"Echo: {scene.text}")
    if "lorem" in kinds:
        after = kinds[kinds.index("lorem") + 1 :]
        return Step(text=lorem(int(after[0]) if after and after[0].isdigit() else _LOREM_TOKENS))
    if "empty" in kinds:
        return Step()
    if "fixed" in kinds:
        return Step(text=FIXED_TEXT)
    return helpful(request, scene)


def helpful(request: ModelRequest, scene: Scene) -> Step:
    """Calls what the text asks for, then quotes what came of it, else says the fixed text."""
    wanted = guessing.wanted(scene.text, request.tools, scene.called)
    if not request.parallel_tool_calls:
        wanted = wanted[:1]
    if wanted:
        return Step(
            tool_calls=tuple(
                ScriptedCall(
                    name=tool.name,
                    arguments=guessing.arguments(
                        scene.text, tool.full_parameters or tool.parameters
                    ),
                )
                for tool in wanted
            )
        )
    if request.output_schema is not None:
        made = guessing.arguments(scene.text, request.output_schema)
        return Step(text=msgspec.json.encode(made).decode())
    if scene.replies:
        return Step(text="\n".join(_quote(reply) for reply in scene.replies))
    return Step(text=FIXED_TEXT)


def lorem(tokens: int) -> str:
    """Filler of that many words, at most 20,000."""
    return " ".join(islice(cycle(_LOREM), min(max(tokens, 1), _LOREM_TOKENS_MAX)))


def seed_of(request: ModelRequest) -> bytes:
    """Differs from call to call, not from attempt to attempt."""
    name = f"{request.turn_id.hex}/{request.iteration}"
    return hashlib.sha256(name.encode()).digest()


def tokens_of(text_chars: int) -> int:
    """The simulator's only tokenizer."""
    return max(1, text_chars // 4)


def prompt_chars(request: ModelRequest) -> int:
    """How long the prompt is."""
    return len(request.system) + sum(_chars(message) for message in request.messages)


def _chars(message: PromptMessage) -> int:
    match message:
        case UserMessage():
            return len(message.text)
        case AssistantMessage():
            written = msgspec.json.encode([call.arguments for call in message.tool_calls])
            return len(message.text) + len(written)
        case ToolReply() | FactsMessage():
            return len(message.text)


def _quote(reply: ToolReply) -> str:
    verb = "returned" if reply.status == "success" else "failed with"
    return f"{reply.name} {verb}: {reply.text[:_QUOTE_CHARS_MAX]}"


def _scripted(script: Script, scene: Scene, request: ModelRequest, played: int) -> Step:
    text = without_script(scene.text)
    rules = script.when if request.iteration == 1 else ()
    for rule in rules:
        if rule.contains in text:
            return rule.then
    if script.turns:
        return step_at(script, script.turns, played)
    said = _said(script, text, played)
    if said is not None:
        return Step(text=said)
    return helpful(request, Scene(text, scene.called, scene.replies, scene.answers))


def _said(script: Script, text: str, played: int) -> str | None:
    """The text of the forms that only say something."""
    if script.sequence:
        return script.sequence[played % len(script.sequence)]
    if script.lorem is not None:
        return lorem(script.lorem)
    if script.echo:
        return f"Echo: {text}"
    return "" if script.empty else script.fixed
