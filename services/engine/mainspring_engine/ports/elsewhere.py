"""The other engines, as far as this one asks them something."""

from typing import Protocol
from uuid import UUID

from mainspring_schema.workflows import QueryWorkflow


class Elsewhere(Protocol):
    """See the module."""

    async def ask(self, replica: UUID, command: QueryWorkflow) -> bytes:
        """What a worker that is attached there answers.

        Raises NoWorker where that engine has none any more or cannot be reached, DeadlineExceeded
        where nothing comes, and what the other one raised.
        """
        ...
