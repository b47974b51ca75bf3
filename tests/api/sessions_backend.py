"""A session's log at an event store that a test stands in for."""

from uuid import UUID

from mainspring_schema.commands import Submit
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.grants import ForkHead


class FakeSession:
    def __init__(self, org_id: UUID) -> None:
        self.org_id = org_id
        self.events: list[StoredEvent] = []
        self.deltas: list[StoredDelta] = []
        self.status = "started"
        self.closed = False
        self.turn_first = 0
        self.submitted: dict[str, Submit] = {}
        self.seqs: dict[UUID, int] = {}

    @property
    def seq(self) -> int:
        return self.events[-1].seq if self.events else 0

    @property
    def n(self) -> int:
        return sum(delta.seq == self.seq for delta in self.deltas)


def forked(source: FakeSession, fork: ForkHead) -> FakeSession:
    session = FakeSession(source.org_id)
    session.events += source.events[: fork.seq]
    for seq, one in enumerate(fork.events, fork.seq + 1):
        session.events.append(StoredEvent(seq, one.type, fork.now_ms, one.payload))
    return session
