"""Turns to be cut: a call waits for a child, or leaves it behind, or waits for another call."""

from typing import Final

import msgspec

from mainspring_harness.builtin import (
    background_execution,
    builtin_registry,
    session_tasks,
    subagents,
)
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.shelf import all_tools
from mainspring_worker.ports.tool import ToolBox
from tests.sim.crash_points import ANSWER, Scene
from tests.sim.scripts import script_of
from tests.sim.world import World

_FOUND: Final = "It was under the sofa, behind the cat, where nobody ever looks for anything."


class Spawning(World):
    """Its agent gives work to children."""

    capabilities = ("", subagents.ID, session_tasks.ID)

    def toolbox(self) -> ToolBox:
        return all_tools(builtin_registry())


class Leaving(Spawning):
    """Its agent has calls made in the background."""

    capabilities = ("", background_execution.ID, session_tasks.ID, "test_math")


def _scene() -> Scene:
    told = script_of([{"text": _FOUND}])
    arguments = {"name": "look", "instructions": told}
    calls = [{"name": subagents.SPAWN_AGENT.name, "arguments": arguments}]
    turns: tuple[Json, ...] = ({"text": "Let me see.", "tool_calls": calls}, {"text": ANSWER})
    return Scene(world=Spawning, turns=turns)


def _background() -> Scene:
    arguments = {"name": "sum", "tool": "add", "arguments": {"a": 2, "b": 3}}
    calls = [{"name": background_execution.TOOL, "arguments": arguments}]
    turns: tuple[Json, ...] = ({"text": "Let me see.", "tool_calls": calls}, {"text": ANSWER})
    return Scene(world=Leaving, turns=turns)


class Listing(Spawning):
    """Its agent keeps a list, which is written by one call at a time."""

    capabilities = ("", "stateless_todo_list", "test_math")


def _in_turn() -> Scene:
    item = {"content": "Look", "activeForm": "Looking", "status": "pending"}
    write = {"name": "write_todos", "arguments": {"todos": [item]}}
    calls = [write, {"name": "add", "arguments": {"a": 2, "b": 3}}, write]
    turns: tuple[Json, ...] = ({"text": "Let me see.", "tool_calls": calls}, {"text": ANSWER})
    return Scene(world=Listing, turns=turns)


IN_TURN: Final = _in_turn()
JOINING: Final = _scene()
BACKGROUND: Final = _background()
CANCELLED: Final = msgspec.structs.replace(JOINING, cancels=True)
