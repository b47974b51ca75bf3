"""Requests to a driver, and what came of them."""

from collections.abc import Sequence
from contextlib import aclosing
from uuid import UUID

import pytest

from mainspring_harness.conversation import (
    AssistantMessage,
    PromptMessage,
    ToolReply,
    ToolStatus,
    UserMessage,
)
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.agents import ModelChoice, ToolDefinition
from mainspring_schema.messages import TextPart, ToolCallPart
from mainspring_worker.ports.model import (
    Deadlines,
    Done,
    ModelDriver,
    ModelFailure,
    ModelItem,
    ModelRequest,
)

TURN = UUID(int=0x0193_3B5A << 96 | 1)
OTHER_TURN = UUID(int=0x0193_3B5A << 96 | 2)


def said(text: str) -> UserMessage:
    return UserMessage(message_id="message_1", content=(TextPart(text=text),))


def answered(*tools: str, text: str = "", turn: UUID = TURN) -> AssistantMessage:
    return AssistantMessage(
        message_id="message_2",
        turn_id=to_wire(Prefix.TURN, turn),
        text=text,
        tool_calls=tuple(
            ToolCallPart(id=f"c_{name}", name=name, arguments={"n": 1}) for name in tools
        ),
    )


def returned(tool: str, text: str, status: ToolStatus = "success") -> ToolReply:
    return ToolReply(tool_call_id=f"c_{tool}", name=tool, text=text, status=status)


def request(
    *messages: PromptMessage,
    model: str = "llmsim",
    system: str = "",
    tools: Sequence[ToolDefinition] = (),
    parallel: bool = True,
    iteration: int = 1,
    attempt: int = 1,
    deadlines: Deadlines | None = None,
) -> ModelRequest:
    return ModelRequest(
        choice=ModelChoice(
            model_id="model_1",
            model=model,
            provider_id="provider_1",
            driver="llmsim",
            provider="Simulator",
        ),
        system=system,
        messages=messages,
        tools=tuple(tools),
        parallel_tool_calls=parallel,
        turn_id=TURN,
        iteration=iteration,
        attempt=attempt,
        deadlines=deadlines or Deadlines(),
    )


async def collect(driver: ModelDriver, asked: ModelRequest, *, into: list[ModelItem]) -> None:
    async with aclosing(driver.stream(asked)) as items:
        async for item in items:
            into.append(item)  # noqa: PERF401 - what came before a failure is wanted too


async def play(driver: ModelDriver, asked: ModelRequest) -> list[ModelItem]:
    items: list[ModelItem] = []
    await collect(driver, asked, into=items)
    return items


async def done(driver: ModelDriver, asked: ModelRequest) -> Done:
    last = (await play(driver, asked))[-1]
    assert isinstance(last, Done)
    return last


async def failure(driver: ModelDriver, asked: ModelRequest) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        await play(driver, asked)
    return caught.value
