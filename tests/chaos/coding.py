"""`python -m tests.chaos.coding`: a user's worker whose steps leave marks in the world outside."""

import asyncio
import os
import random
import signal
import sys
from typing import Final
from uuid import uuid4

from mainspring import Worker
from tests.chaos.ledger import Line
from tests.chaos.service import KILLING_STEPS, folder, ledger
from tests.sim.programs import Stumbled, offers

BIND: Final = "MAINSPRING_CODER_BIND"
"""Where it shows that it is up."""
STEP_S: Final = 1.5
LONG_STEP_S: Final = 14.0
LONG_STEPS: Final = 0.03
"""So many outlive the lease of a worker that freezes in them."""
STUMBLES: Final = 0.1


class Outside:
    """Steps that take a while, fail at times and end their worker at times."""

    async def mark(self, key: str, n: int) -> str:
        most_s = LONG_STEP_S if random.random() < LONG_STEPS else STEP_S
        await asyncio.sleep(most_s * random.random() ** 3)
        stumbled = folder() / f"stumbled-{key}-{n}"
        if random.random() < STUMBLES and not stumbled.exists():
            stumbled.touch()  # once: no step fails for good by chance
            raise Stumbled
        token = f"{key}/{n}#{uuid4().int >> 80}"
        ledger().write(Line(what="step", tool=key, token=str(n), key=token, pid=os.getpid()))
        if random.random() < KILLING_STEPS:
            os.kill(os.getpid(), signal.SIGKILL)
        return token

    def reads(self, key: str, height: int) -> None:
        """Nobody asks."""

    tells = reads


async def work() -> None:
    """Until it is told to end; then it drains."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    host, _, port = os.environ[BIND].rpartition(":")
    name = os.environ["MAINSPRING_WORKER_NAME"]
    async with Worker(list(offers(Outside()).values()), name=name, slots=8):
        door = await asyncio.start_server(lambda _, writer: writer.close(), host, int(port))
        async with door:
            await told.wait()


if __name__ == "__main__":
    asyncio.run(work())
    sys.exit(0)
