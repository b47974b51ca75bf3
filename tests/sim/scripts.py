"""What the model of a turn is to answer: calls of every kind, and trouble that retries overcome."""

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring_harness.builtin import ask_user, background_execution, subagents
from mainspring_schema.messages import Json
from tests.sim.loop import POISON
from tests.sim.tools import CLASSES, CLIENTS, THEIRS
from tests.sim.world import World

_POISONED: Final = 0.3
_SPAWNED: Final = 0.5
_BEHIND: Final = 0.4
"""How often a call is made while the agent goes on."""
_GENERATIONS: Final = 2
_QUESTION: Final = {"id": "q", "question": "Is it so?", "type": "text", "default": "no"}
_ASKS: Final[Json] = {"name": ask_user.ASK.name, "arguments": {"questions": [_QUESTION]}}
_OF_CLIENTS: Final[tuple[Json, ...]] = tuple({"name": name, "arguments": {}} for name in CLIENTS)
_LATENCIES_MS: Final = (0, 20, 300)
"""Of a token."""


def script(world: World, depth: int = 0) -> str:
    """As a message. `depth` counts the turns above whose calls have it said to a child."""
    work = world.chance.work
    turns: list[Json] = [
        {"text": "Let me see.", "tool_calls": _calls(world, depth)}
        for _ in range(work.choice((0, 1, 1, 2)))
    ]
    turns.append({"text": "That is all there is to say about it."})
    # One that many sessions play would keep its circuit open for as long as there are any.
    for turn in turns if depth == 0 else ():
        if world.chance.strikes("model trouble", world.weather.model_trouble):
            turn["error"] = {"kind": "overloaded", "after_chars": 4, "attempts": 1}
    return script_of(turns, token_ms=work.choice(_LATENCIES_MS))


def script_of(turns: Sequence[Json], *, token_ms: int = 20) -> str:
    """A message that tells the model what to answer."""
    block = {"turns": turns, "latency": {"ttft_ms": 50, "token_ms": token_ms}}
    # A script within this one must not end its block.
    text = msgspec.json.encode(block).decode().replace("`", "\\u0060")
    return f"Play.\n```llmsim\n{text}\n```"


def _calls(world: World, depth: int) -> list[Json]:
    work, minding, weather = world.chance.work, world.minding, world.weather
    names = work.sample(sorted(CLASSES), work.choice((1, 2, 4)))
    calls: list[Json] = [{"name": name, "arguments": {"n": 1}} for name in names]
    if weather.announces:
        theirs = minding.sample(THEIRS, minding.choice((0, 1, 2)))
        calls += [_of_theirs(name, minding.choice((1, 2))) for name in theirs]
    if weather.asks:
        # What a child's client would do nobody does.
        asking = (_ASKS, *_OF_CLIENTS) if depth == 0 else (_ASKS,)
        calls += minding.sample(asking, minding.choice((0, 1, 1, len(asking))))
    if weather.spawns and depth < _GENERATIONS and minding.random() < _SPAWNED:
        calls.append(_spawn(world, depth))
    if weather.spawns and minding.random() < _BEHIND:
        calls.append(_behind(world))
    if weather.poison and depth == 0 and work.random() < _POISONED:
        calls.append({"name": POISON, "arguments": {"n": 1}})
    return calls


def _of_theirs(name: str, n: int) -> Json:
    return {"name": name, "arguments": {"n": n}}


def _behind(world: World) -> Json:
    """One call by itself: of a tool that the agent has."""
    called: Json = {"tool": world.minding.choice(sorted(CLASSES)), "arguments": {"n": 1}}
    wakes = world.minding.random() < 0.7
    return {
        "name": background_execution.TOOL,
        "arguments": {"name": "one", "wake": wakes, **called},
    }


def _spawn(world: World, depth: int) -> Json:
    mode = world.minding.choice(("foreground", "background"))
    told = script(world, depth + 1)
    arguments: Json = {"name": "look", "instructions": told, "mode": mode}
    return {"name": subagents.SPAWN_AGENT.name, "arguments": arguments}
