"""By how much the loop that runs users' code is late: what every step on it waits for, too."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

PACE_S: Final = 0.5
"""Between two looks: twice a second finds what lasts, and costs nothing."""
_LOG: Final = logging.getLogger("mainspring")


async def watch_lag(report: Callable[[float], object], *, pace_s: float = PACE_S) -> None:
    """Until cancelled: tells the seconds by which the loop came late to each look.

    What `report` raises is logged and ends the watch: the worker goes on without it.
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            due_s = loop.time() + pace_s
            await asyncio.sleep(pace_s)
            report(max(0.0, loop.time() - due_s))
    except Exception:  # noqa: BLE001 - whatever a user's metrics raise
        _LOG.exception("nobody takes the loop's lag any more")


class LagWatch:
    """Watches the loop on which it begins, where somebody wants to know."""

    def __init__(self, report: Callable[[float], object] | None) -> None:
        self._report = report
        self._watch: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if self._report is not None:
            self._watch = asyncio.create_task(watch_lag(self._report))

    def end(self) -> None:
        """Safe twice."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
