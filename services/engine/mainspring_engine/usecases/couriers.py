"""Brings signals between sessions to the lanes of their receivers, after the commit.

What a courier says is a hint, like an alarm: if an engine died or the queue was full, the sweep
brings them.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.intents import SignalCame
from mainspring_engine.domain.limits import CARRIED_SIGNALS_MAX


class Couriers:
    """One loop per process: a commit never puts into a lane by itself."""

    def __init__(self) -> None:
        self._came: deque[SignalCame] = deque(maxlen=CARRIED_SIGNALS_MAX)
        self._wake = asyncio.Event()

    def committed(self, changes: Changes) -> None:
        """Takes what a commit wrote for other sessions."""
        for signal in changes.signals:
            if signal.to is not None:
                org_id = changes.expected.org_id
                self._came.append(
                    SignalCame(
                        session_id=signal.to, org_id=org_id, source=signal.source, kind=signal.kind
                    )
                )
                self._wake.set()

    async def work(self, bring: Callable[[SignalCame], None]) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._came:
                bring(self._came.popleft())
