"""Everything that explains why something does not move, as it is at one moment."""

from typing import Protocol
from uuid import UUID

from mainspring_engine.domain.explain.snapshot import Snapshot
from mainspring_schema.explaining import Subject


class Snapshots(Protocol):
    """Postgres and memory pass the same contract suite. Raises Unavailable."""

    async def of(self, org_id: UUID, subject: Subject, id_: UUID) -> Snapshot | None:
        """Without the circuits, which the gates know. None for what this organization has not.

        What belongs to a deleted session is not there any more.
        """
        ...
