"""Waiting until something is different, by whoever then looks again."""

import asyncio


class Changes:
    """Those who wait for the next change."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def next(self) -> None:
        """Returns at the next `tell`."""
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await change

    def tell(self) -> None:
        """Wakes all who wait now."""
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)
