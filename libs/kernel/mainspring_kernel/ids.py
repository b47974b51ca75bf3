"""Ids: their types, their written form, how they are made, and the positions inside event ids.

Inside the house an id is a `UUID` under a NewType; on the wire it is `prefix_` + 32 lowercase hex
digits. Everything is a UUIDv7 except messages (v4) and events and deltas (v8, which carry their own
position in the log, so that resuming a stream needs no look-up).
"""

import os
import re
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple, NewType, Protocol
from uuid import UUID

from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import InvalidId

OrgId = NewType("OrgId", UUID)
HarnessId = NewType("HarnessId", UUID)
AgentId = NewType("AgentId", UUID)
SessionId = NewType("SessionId", UUID)
WorkspaceId = NewType("WorkspaceId", UUID)
MessageId = NewType("MessageId", UUID)
EventId = NewType("EventId", UUID)
TaskId = NewType("TaskId", UUID)
ProviderId = NewType("ProviderId", UUID)
ModelId = NewType("ModelId", UUID)


class Prefix(StrEnum):
    """The prefixes of ids on the wire."""

    ORG = "org"
    HARNESS = "harness"
    AGENT = "agent"
    AGENT_VERSION = "agentver"
    MEMORY = "mem"
    CHANNEL = "apichan"
    CHANNEL_KEY = "apikey"
    USER = "user"
    VIRTUAL_USER = "vuser"
    HEALTH_CHECK = "check"
    SESSION = "session"
    WORKSPACE = "wsp"
    MESSAGE = "message"
    EVENT = "event"
    TURN = "turn"
    EXEC = "exec"
    TASK = "task"
    WORKER = "worker"
    PROVIDER = "provider"
    MODEL = "model"
    WORKFLOW = "workflow"
    SIGNAL = "signal"
    SCHEDULE = "schedule"
    SLOT = "slot"
    BUDGET = "budget"
    BUDGET_ENTRY = "entry"
    MCP_SERVER = "mcp"


_SEED_HIGH: Final = 0x01933B5A_0000_7000_8000_0000_0000_0000


def _seed(low: int) -> UUID:
    return UUID(int=_SEED_HIGH | low)


DEFAULT_ORG_ID: Final = OrgId(_seed(0xF001))
"""The organization that is seeded; `X-Org-Id` is optional as long as it is the only one."""

ANONYMOUS_USER_ID: Final = UUID(int=1)
"""Until there is authentication everybody is this user, but for users of an application's own."""

OPENAI_PROVIDER_ID: Final = ProviderId(_seed(0x001))
ANTHROPIC_PROVIDER_ID: Final = ProviderId(_seed(0x002))
LLMSIM_PROVIDER_ID: Final = ProviderId(_seed(0x003))
GEMINI_PROVIDER_ID: Final = ProviderId(_seed(0x004))
LLMSIM_MODEL_ID: Final = ModelId(_seed(0x401))
LLMSIM_LATENCY_MODEL_ID: Final = ModelId(_seed(0x402))
FIRST_HARNESS_ID: Final = HarnessId(_seed(0x600))

_HEX32: Final = re.compile(r"[0-9a-f]{32}")
_ECHO_CHARS_MAX: Final = 64


def to_wire(prefix: str, id_: UUID) -> str:
    """The written form, `prefix_` + 32 lowercase hex digits."""
    return f"{prefix}_{id_.int:032x}"


def from_wire(prefix: str, text: str) -> UUID:
    """The id that `to_wire` wrote, of any UUID version (clients make some of theirs at random).

    Raises InvalidId for another prefix, dashes, capitals, blanks or a wrong length.
    """
    head, _, digits = text.rpartition("_")
    if head != prefix or _HEX32.fullmatch(digits) is None:
        raise InvalidId(prefix, text[:_ECHO_CHARS_MAX])
    return UUID(int=int(digits, 16))


# ── making ids ──────────────────────────────────────────────────────────────────────────────────


class Ids(Protocol):
    """Where new ids come from."""

    def uuid7(self) -> UUID:
        """A time-ordered id, higher than every one this maker gave before."""
        ...

    def uuid4(self) -> UUID:
        """A random id."""
        ...


_RANDOM_BITS: Final = 74
_RANDOM_MAX: Final = (1 << _RANDOM_BITS) - 1
_RAND_B_BITS: Final = 62
_RAND_B_MASK: Final = (1 << _RAND_B_BITS) - 1
_VERSION_7: Final = 7 << 76
_VARIANT: Final = 0b10 << 62
_KIND_MASK: Final = 0xF << 76 | 0b11 << 62


class RandomIds:
    """Ids from this clock and this source of bytes. Not for several threads.

    UUIDv7 by RFC 9562 section 6.2, method 2: within one millisecond, and while the wall clock
    stands or steps back, the 74 random bits are raised by a random step.
    """

    def __init__(self, clock: Clock, randbytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._randbytes = randbytes
        self._last_ms = -1
        self._last_random = 0

    def uuid7(self) -> UUID:
        """A time-ordered id, higher than every one this maker gave before."""
        return UUID(int=self._next())

    def uuid7_wire(self, prefix: str) -> str:
        """`to_wire` of a new `uuid7`, for whoever needs only that, thousands of times a second."""
        return f"{prefix}_{self._next():032x}"

    def _next(self) -> int:
        now_ms = self._clock.wall_ms()
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            # The highest bit starts at zero, so a burst has room to count up.
            self._last_random = int.from_bytes(self._randbytes(10), "big") >> 7
        else:
            self._last_random += 1 + int.from_bytes(self._randbytes(4), "big")
            if self._last_random > _RANDOM_MAX:
                self._last_ms += 1
                self._last_random = int.from_bytes(self._randbytes(10), "big") >> 7
        rand_a = self._last_random >> _RAND_B_BITS
        rand_b = self._last_random & _RAND_B_MASK
        return self._last_ms << 80 | _VERSION_7 | rand_a << 64 | _VARIANT | rand_b

    def uuid4(self) -> UUID:
        """A random id."""
        return UUID(bytes=self._randbytes(16), version=4)


class SeededIds(RandomIds):
    """The same ids for the same seed and clock: for tests and the simulator."""

    def __init__(self, clock: Clock, seed: int) -> None:
        # Repeatable on purpose: nothing secret is made from these.
        super().__init__(clock, Random(seed).randbytes)  # noqa: S311 - repeatable by design


def is_uuid7(id_: UUID) -> bool:
    """Whether `version` is 7, in a fifth of its time."""
    return id_.int & _KIND_MASK == _VERSION_7 | _VARIANT


def uuid7_ms(id_: UUID) -> int:
    """When a UUIDv7 was made, in milliseconds since the epoch; partitions are cut by it."""
    return id_.int >> 80


# ── positions ───────────────────────────────────────────────────────────────────────────────────


class Position(NamedTuple):
    """Where an event (n = 0) or a delta (n >= 1) stands in its session's log. Ordered."""

    seq: int
    n: int = 0


class PositionId(NamedTuple):
    """All that the id of an event or delta says."""

    epoch: int
    seq: int
    n: int
    session_tag: int

    @property
    def position(self) -> Position:
        """The position without epoch and session."""
        return Position(self.seq, self.n)


EPOCH_MAX: Final = (1 << 6) - 1
SEQ_MAX: Final = (1 << 40) - 1
N_MAX: Final = (1 << 28) - 1
_TAG_MASK: Final = (1 << 48) - 1
_VERSION_8: Final = 8
_RAND_A_MASK: Final = (1 << 12) - 1


def session_tag(session: UUID) -> int:
    """The last 48 bits of the session's id: enough to tell a foreign cursor."""
    return session.int & _TAG_MASK


def position_id(epoch: int, seq: int, n: int, session: UUID) -> EventId:
    """The id of the event or delta at (seq, n): UUID version 8, which sorts by epoch and position.

    Raises ValueError for a number that its field cannot hold.
    """
    return EventId(UUID(int=_position_bits(epoch, seq, n, session)))


def position_wire(epoch: int, seq: int, n: int, session: UUID) -> str:
    """`to_wire` of `position_id`, for streams, which need only that of each event.

    Raises ValueError for a number that its field cannot hold.
    """
    return f"{Prefix.EVENT.value}_{_position_bits(epoch, seq, n, session):032x}"


def _position_bits(epoch: int, seq: int, n: int, session: UUID) -> int:
    if not (0 <= epoch <= EPOCH_MAX and 0 <= seq <= SEQ_MAX and 0 <= n <= N_MAX):
        message = f"position out of range: epoch {epoch}, seq {seq}, n {n}"
        raise ValueError(message)
    packed = epoch << 116 | seq << 76 | n << 48 | session.int & _TAG_MASK
    high, middle, low = packed >> 74, packed >> 62 & _RAND_A_MASK, packed & _RAND_B_MASK
    return high << 80 | _VERSION_8 << 76 | middle << 64 | _VARIANT | low


def parse_position_id(id_: UUID) -> PositionId:
    """What `position_id` packed. Raises InvalidId for a UUID of another version."""
    if id_.version != _VERSION_8:
        text = to_wire(Prefix.EVENT, id_)
        raise InvalidId(Prefix.EVENT, text, expected="one that an event or a delta bears")
    bits = id_.int
    packed = (bits >> 80) << 74 | (bits >> 64 & _RAND_A_MASK) << 62 | bits & _RAND_B_MASK
    return PositionId(
        epoch=packed >> 116,
        seq=packed >> 76 & SEQ_MAX,
        n=packed >> 48 & N_MAX,
        session_tag=packed & _TAG_MASK,
    )
