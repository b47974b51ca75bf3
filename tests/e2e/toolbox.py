"""A worker of one's own with tools, as a process that a test kills in the middle of their calls."""

import asyncio
import os
import sys
from pathlib import Path

from mainspring import ToolContext, Worker, tool

CALLS = Path(os.environ.get("PROGRAM_CALLS", "/nowhere"))
TOOLSET = "toolbox"
"""Not the name of the page's example, whose worker announces other tools on the same stack."""


def told(name: str, what: str = "") -> None:
    with (CALLS / name).open("a") as file:
        file.write(f"{what}\n")


async def gate() -> None:
    """So that its worker can be killed in the middle of a call."""
    while not (CALLS / "gate").exists():  # noqa: ASYNC110 - the gate is another process's file
        await asyncio.sleep(0.02)


@tool(effect="idempotent")
async def refund(order: str, call: ToolContext) -> dict[str, str]:
    """Gives an order's money back."""
    told("refund", call.idempotency_key)
    await gate()
    return {"refunded": order}


@tool(effect="at_most_once")
async def announce(order: str) -> str:
    """Tells the world of an order."""
    told("announce")
    await gate()
    return f"announced {order}"


async def was_paid(order: str) -> str:
    told("was_paid")
    return f"{order} was paid before"


@tool(effect="verifiable", probe=was_paid)
async def pay(order: str) -> str:
    """Pays an order."""
    told("pay")
    await gate()
    return f"paid {order}"


@tool(effect="pure")
def recite(words: int) -> str:
    """Says many words."""
    return "words " * words


@tool(effect="idempotent", concurrency_class="ledger")
async def enter(line: str) -> str:
    """Enters a line into the ledger."""
    told("ledger", f"{line} begins")
    await asyncio.sleep(0)  # where another call would come in between
    told("ledger", f"{line} ends")
    return line


async def main() -> None:
    tools = [refund, announce, pay, recite, enter]
    await Worker(tools=tools, toolset=TOOLSET, engine=sys.argv[1]).run()


if __name__ == "__main__":
    asyncio.run(main())
