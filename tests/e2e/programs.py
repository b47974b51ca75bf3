"""A worker of one's own, as a process that a test kills: its steps tell of their calls in files."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from mainspring import (
    Fleet,
    GiveUp,
    StepFailed,
    Worker,
    do,
    do_child,
    do_detached,
    heartbeat,
    heartbeat_details,
    on_query,
    parallel,
    run_child,
    sleep,
    start_detached,
    start_over,
    step,
    wait_for_signal,
    workflow,
)

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


@step
async def refund(receipt: str) -> str:
    told("refund")
    while not (CALLS / "refunds").exists():  # noqa: ASYNC110 - the gate is another process's file
        await asyncio.sleep(0.02)
    return f"no {receipt}"


@workflow(compensates=True)
async def refundable(order: str) -> str:
    receipt = await charge(order)
    try:
        return await pack(order)
    except asyncio.CancelledError:
        await refund(receipt)
        raise


@step
async def stand_beside(order: str) -> str:
    told("beside")
    while not (CALLS / "gate").exists():  # noqa: ASYNC110 - the gate is another process's file
        await asyncio.sleep(0.02)
    return order


@step
async def explode(beside: int) -> None:
    """Twice it takes with it all that are beside, then it is alone with the blame."""
    told("exploded")
    deaths = len((CALLS / "exploded").read_text().splitlines())
    while deaths <= 2 and len((CALLS / "beside").read_text().splitlines()) < deaths * beside:  # noqa: ASYNC110 - others write it
        await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


@workflow
async def innocent(order: str) -> str:
    return await stand_beside(order)


@workflow
async def poisoned(beside: int) -> None:
    (CALLS / "beside").touch()
    await explode(beside)


@workflow(driver="machine")
def declared_checkout(order: str) -> list[str]:
    with parallel():
        receipt = do(charge, order)
        packed = do(pack, order)
    return [receipt, do(ship, packed)]


@workflow
async def delivery(order: str) -> list[str]:
    """Its code never changes, whatever ran before: all its histories fit."""
    receipt = await charge(order)
    packed = await pack(order)
    return [receipt, await ship(packed)]


@workflow
async def patient(order: str) -> str:
    stage = "charges"

    @on_query(name="stage")
    def told_stage(prefix: str) -> str:
        return prefix + stage

    receipt = await charge(order)
    stage = "waits"
    await sleep(0.2)
    who = await wait_for_signal("approve", type=str)
    return f"{receipt}, approved by {who}: {await ship(order)}"


@workflow
async def family(orders: list[str]) -> list[list[str]]:
    """Waits for a child of each order."""
    return await asyncio.gather(*(run_child(checkout, order) for order in orders))


@workflow
async def refused(order: str) -> str:
    try:
        await run_child(failing, order)
    except StepFailed as error:
        return error.code
    return "nothing"


@workflow
async def failing(order: str) -> None:
    raise GiveUp("no_stock", order)


@workflow(driver="machine")
def declared_family(order: str) -> list[object]:
    """Waits for a child that is declared itself, and starts another that it does not wait for."""
    receipt = do(charge, order)
    left = do_detached(refused, order)
    return [receipt, do_child(declared_checkout, order), left]


@workflow
async def lets_go(order: str) -> str:
    return await start_detached(patient, order)


@workflow
async def grandparent(order: str) -> str:
    return await run_child(middle, order)


@workflow
async def middle(order: str) -> str:
    return await run_child(patient, order)


@workflow
async def climbing(height: int, top: int) -> int:
    """Starts over after each three steps, as what goes on for ever does."""
    for _ in range(3):
        height = await higher(height)
    if height < top:
        await start_over(height, top)
    return height


@step
async def higher(height: int) -> int:
    told("higher")
    return height + 1


@step
async def stubborn(seconds: float) -> None:
    told("stubborn")
    time.sleep(seconds)  # noqa: ASYNC251 - it holds the loop, as careless code does


@step(cpu_bound=True)
def computed(seconds: float) -> int:
    """Returns the process that it ran in."""
    told("computed")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(10_000))
    return os.getpid()


@workflow
async def busy(seconds: float) -> int:
    await stubborn(seconds)
    return await computed(seconds)


@step(queue="ovens")
async def bake(order: str) -> str:
    """Waits for a gate, so that its worker can be killed in the middle of it."""
    told("bake")
    while not (CALLS / "gate").exists():  # noqa: ASYNC110 - the gate is another process's file
        await asyncio.sleep(0.02)
    return f"{order} baked"


@workflow
async def bakery(order: str) -> str:
    receipt = await charge(order)
    return f"{receipt}: {await bake(order)}"


@step
async def where(order: str) -> int:
    """Returns the process that it is done in, once the gate is open."""
    told("where")
    while not (CALLS / "gate").exists():  # noqa: ASYNC110 - the gate is another process's file
        await asyncio.sleep(0.02)
    return os.getpid()


@workflow
async def placed(order: str) -> int:
    return await where(order)


@step(heartbeat_s=60.0)
def copy_pages(pages: int) -> int:
    """Returns the page it began with. The fourth waits for the gate."""
    begun = heartbeat_details(int) or 0
    for page in range(begun, pages):
        told("copy_pages")
        while page == 3 and not (CALLS / "gate").exists():
            time.sleep(0.02)
        heartbeat(page + 1)
    return begun


@workflow
async def scribe(pages: int) -> int:
    return await copy_pages(pages)


if __name__ == "__main__":
    known = [checkout, delivery, patient, family, refused, failing, lets_go, grandparent, middle]
    known += [bakery, busy, climbing, declared_checkout, declared_family, refundable]
    # A worker of the ovens bakes, and does nothing else.
    worker: Worker | Fleet
    if "PROGRAM_POISON" in os.environ:
        worker = Fleet([innocent, poisoned], engine=sys.argv[1], processes=1, slots=16)
    elif "PROGRAM_FLEET" in os.environ:
        worker = Fleet([placed], engine=sys.argv[1], processes=2, slots=1)
    elif "PROGRAM_SCRIBES" in os.environ:
        worker = Worker([copy_pages, scribe], engine=sys.argv[1])
    elif "PROGRAM_OVENS" in os.environ:
        worker = Worker([bake], engine=sys.argv[1], queues=["ovens"])
    else:
        worker = Worker(known, engine=sys.argv[1], processes=1)
    asyncio.run(worker.run())
