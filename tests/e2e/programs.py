"""A worker of one's own, as a process that a test kills: its steps tell of their calls in files."""

import asyncio
import os
import sys
from pathlib import Path

from mainspring import Worker, sleep, step, wait_for_signal, workflow

CALLS = Path(os.environ.get("PROGRAM_CALLS", "/nowhere"))


def told(name: str) -> None:
    with (CALLS / name).open("a") as file:
        file.write(f"{os.getpid()}\n")


@step
async def charge(order: str) -> str:
    told("charge")
    return f"receipt of {order}"


@step
async def pack(order: str) -> str:
    """Waits for a gate, so that its worker can be killed in the middle of it."""
    told("pack")
    while not (CALLS / "gate").exists():  # noqa: ASYNC110 - the gate is another process's file
        await asyncio.sleep(0.02)
    return order.lower()


@step
def ship(order: str) -> str:
    told("ship")
    return f"shipped {order}"


@step
async def check_credit(order: str) -> str:
    told("check_credit")
    return f"receipt of {order}"


@workflow
async def checkout(order: str) -> list[str]:
    # Two versions of the code, which a deployment would bring one after the other.
    changed = os.environ.get("PROGRAM_CHANGED")
    receipt = await (check_credit(order) if changed else charge(order))
    packed = await pack(order)
    return [receipt, await ship(packed)]


@workflow
async def patient(order: str) -> str:
    receipt = await charge(order)
    await sleep(0.2)
    who = await wait_for_signal("approve", type=str)
    return f"{receipt}, approved by {who}: {await ship(order)}"


if __name__ == "__main__":
    asyncio.run(Worker([checkout, patient], engine=sys.argv[1]).run())
