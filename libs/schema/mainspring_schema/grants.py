"""The rows that cross the log's granted functions: one struct per row of their array arguments.

The Postgres functions (`log.lock_v1`, `log.append_v1`, …) and their memory twin speak these. Field
order is the order of the SQL arguments and columns, so `msgspec.structs.astuple` transposes into
arrays.
"""

from enum import IntEnum
from uuid import UUID

from msgspec import Struct, structs

from mainspring_schema.chain import GENESIS, link


class SessionStatus(IntEnum):
    """What the head stores; `wire` is what clients see."""

    STARTED = 1
    ACTIVE = 2
    IDLE = 3
    WAITINGFORTOOLRESULTS = 4

    @property
    def wire(self) -> str:
        return self.name.lower()


class AppendVerdict(IntEnum):
    """How a delta ended. The numbers are those of the proto and of `log.append_deltas_v1`."""

    COMMITTED = 1
    DUPLICATE = 2
    """The offset was appended before."""
    STALE = 3
    """A higher attempt streams, or the anchor, its turn or the session is closed."""
    GAP = 4
    """The offset leaves a gap, or the attempt was not announced yet."""


class Head(Struct, frozen=True, kw_only=True):
    """A head as `lock` returns it, locked until the transaction ends.

    An unknown session is simply absent.
    `ts_ms` is the time of the newest event. `turn_first_seq` is 0 before the first turn.
    """

    session_id: UUID
    org_id: UUID
    last_seq: int
    n: int
    hash: bytes
    ts_ms: int
    status: SessionStatus
    paused: bool
    active_turn: UUID | None
    turn_first_seq: int
    closed: bool


class AppendEvent(Struct, frozen=True, kw_only=True):
    """An event with its proposed position, time and hash. `ts_ms` may not lie below the head's."""

    session_id: UUID
    seq: int
    type: str
    ts_ms: int
    turn_id: UUID | None
    payload: bytes
    hash: bytes


class AppendHead(Struct, frozen=True, kw_only=True):
    """What a head becomes by an append; exactly one per session of the batch.

    `last_seq` is the value after the append and stays the same where the session gets no event.
    `close_anchors` closes all open anchors before those of the batch are opened.
    """

    session_id: UUID
    org_id: UUID
    last_seq: int
    hash: bytes
    ts_ms: int
    status: SessionStatus
    active_turn: UUID | None
    turn_first_seq: int
    close_anchors: bool


class Anchor(Struct, frozen=True, kw_only=True):
    """Opens an anchor or raises its attempt; `attempt` None closes it.

    Of several for one anchor the last counts. A raise starts every channel at offset 0 again; an
    attempt that is not higher changes nothing.
    """

    session_id: UUID
    anchor: str
    attempt: int | None


class OpenHead(Struct, frozen=True, kw_only=True):
    """A new session with its first event, which gets sequence 1; `hash` follows `chain.GENESIS`."""

    session_id: UUID
    org_id: UUID
    type: str
    ts_ms: int
    payload: bytes
    hash: bytes

    def at(self, ts_ms: int) -> "OpenHead":
        """The same begun then, in milliseconds; its hash follows from its time."""
        hash_ = link(
            GENESIS,
            session_id=self.session_id,
            seq=1,
            type_=self.type,
            ts_ms=ts_ms,
            payload=self.payload,
        )
        return structs.replace(self, ts_ms=ts_ms, hash=hash_)


class ForkEvent(Struct, frozen=True, kw_only=True):
    """One of a fork's first events; its position and hash follow from where it forks."""

    type: str
    turn_id: UUID | None
    payload: bytes


class ForkHead(Struct, frozen=True, kw_only=True):
    """A session that goes on behind the event `seq` of the session `source_id`."""

    session_id: UUID
    org_id: UUID
    source_id: UUID
    seq: int
    turn_first_seq: int
    now_ms: int
    events: tuple[ForkEvent, ...]


class DeltaAppend(Struct, frozen=True, kw_only=True):
    """A streamed fragment on its way in. `offset` counts characters of the channel before it.

    A repeat must keep the bounds of its fragments: a lower offset is taken for one that was
    appended before.
    `reset` goes with offset 0, on the first fragment of a later attempt.
    """

    session_id: UUID
    turn_id: UUID
    anchor: str
    attempt: int
    channel: str
    offset: int
    fragment: str
    reset: bool = False


class DeltaAnswer(Struct, frozen=True, kw_only=True):
    """What became of the delta at index `item` (from 1).

    Position and time are 0 unless it was committed.
    """

    item: int
    verdict: AppendVerdict
    seq: int = 0
    n: int = 0
    ts_ms: int = 0
