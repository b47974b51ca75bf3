"""A tool that wants its process to end: its call fails, and the worker stays."""

import asyncio
import sys

import pytest

from mainspring_schema.agents import ToolHints
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from tests.unit.worker.fake_engine import Conversation
from tests.unit.worker.making import held, task, tool_payload
from tests.unit.worker.test_act import RESULT
from tests.unit.worker.workbench import bench, tool


async def exits(arguments: Json, context: ToolContext) -> ToolOutcome:
    del context
    if "leave" in arguments:
        sys.exit(2)
    return ToolOutcome(result="here")


async def leaves_one_that_exits(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Its call is over before; what it left behind is on the loop of all tools."""
    left = asyncio.create_task(exits(arguments, context))
    await asyncio.wait([left])
    return ToolOutcome(result="here")


async def asked(engine: Conversation, number: int, arguments: Json) -> ToolResult:
    engine.give(task(held(number), tool_payload(arguments=arguments)))
    return RESULT.decode((await engine.result()).body)


@pytest.mark.parametrize(
    "hints",
    [None, ToolHints(long_running=True), ToolHints(cpu_bound=True)],
    ids=["in place", "beside", "computing"],
)
async def test_a_tool_that_exits_fails_its_call_and_the_next_one_is_made(
    hints: ToolHints | None,
) -> None:
    async with bench(tools=[tool(exits, hints=hints)]) as b:
        engine = await b.engine.attached()

        first = await asked(engine, 1, {"leave": True})
        second = await asked(engine, 2, {})

    assert (first.status, first.failure and first.failure.code) == ("error", "tool_failed")
    assert second.result == "here"


async def test_what_a_tool_left_behind_ends_no_other_call() -> None:
    one = tool(leaves_one_that_exits, hints=ToolHints(long_running=True))
    async with bench(tools=[one]) as b:
        engine = await b.engine.attached()

        results = [await asked(engine, number, {"leave": True}) for number in (1, 2)]

    assert [result.result for result in results] == ["here", "here"]
