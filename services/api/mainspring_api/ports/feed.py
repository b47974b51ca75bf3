"""The live tail: copies of what was committed, as the bus brings them."""

from collections.abc import Callable
from typing import Protocol

from mainspring_kernel.ids import OrgId, SessionId
from mainspring_schema.stream import LogBatch

Deliver = Callable[[LogBatch], None]


class Subscription(Protocol):
    """One session's tail."""

    async def close(self) -> None:
        """Nothing is delivered afterwards. Safe twice."""
        ...


class Feed(Protocol):
    """Losing or doubling a batch changes nothing: readers compare positions."""

    async def subscribe(
        self, org_id: OrgId, session_id: SessionId, deliver: Deliver
    ) -> Subscription:
        """Returns once batches committed from now on are delivered, or the bus did not answer.

        Without the bus it still subscribes: deliveries begin when the bus is back. Never raises
        for an absent bus.
        """
        ...
