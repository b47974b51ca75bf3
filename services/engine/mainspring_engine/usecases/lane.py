"""The commit lane: everything that writes a session's log goes through one, in flights.

Each lane has one flight under way. What arrives meanwhile rides the next; an idle lane commits at
once. A lane decides in memory from what it remembers, commits by compare-and-set, decides again if
the rows were different, and tells nobody before the commit.
"""

import asyncio
import logging
from collections import deque
from typing import Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain import plain
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.intents import Command, Intent, session_of, weight_of
from mainspring_engine.domain.limits import (
    COMMANDS_WAIT_S,
    COMMIT_FLIGHT_BYTES_MAX,
    COMMIT_FLIGHT_ITEMS_MAX,
)
from mainspring_engine.domain.plain import PlainIncident, PlainIntent, PlainSubmitted
from mainspring_engine.domain.tallies import Tallies
from mainspring_kernel.backoff import RECONNECT, delay_s
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import MainspringError, TooManyRequests, Unavailable
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.limits import LANE_QUEUE_ITEMS_MAX

_log = logging.getLogger(__name__)
AnyIntent = Intent | PlainIntent
AnyCommand = Command | PlainSubmitted
Kind = TypeVar("Kind", bound=AnyIntent)


class Ticket(Protocol):
    """Who waits for an intent. Called once, after the commit or the refusal."""

    def done(self, answer: Answer) -> None: ...

    def failed(self, error: Exception) -> None: ...


class Aboard(Struct, Generic[Kind], eq=False):
    """`conflicts`: how many flights left it as it was, for another engine moved its session.

    `late`: how many decisions took so long that they were refused for their date; the next one is
    dated `ahead_ms`.
    """

    intent: Kind
    ticket: Ticket
    conflicts: int = 0
    late: int = 0
    ahead_ms: int = 0


Entry: TypeAlias = Aboard[Intent]
PlainEntry: TypeAlias = Aboard[PlainIntent]


class Flights(Protocol[Kind]):
    """Decides and commits one batch; answers the tickets of what it settled and drops it."""

    async def fly(self, entries: list[Aboard[Kind]]) -> None: ...


class Lane(Generic[Kind]):
    """A queue with one flight in the air. `put` never waits."""

    def __init__(
        self, flights: Flights[Kind], clock: Clock, draws: Draws, tallies: Tallies | None = None
    ) -> None:
        self._flights = flights
        self._clock = clock
        self._draws = draws
        self._tallies = tallies or Tallies()
        self._waiting: deque[Aboard[Kind]] = deque()
        self._halves: deque[int] = deque()
        """How many the next flights take, until who made one fail is alone: others go on."""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._told_away = False

    def put(self, intent: Kind, ticket: Ticket) -> None:
        """Raises TooManyRequests for a command above the bound.

        Incidents are always taken, for workers bring no more of them than they hold tasks.
        """
        if len(self._waiting) >= LANE_QUEUE_ITEMS_MAX and isinstance(intent, AnyCommand):
            detail = "the commit lane is full"
            raise TooManyRequests(detail)
        self._waiting.append(Aboard(intent, ticket))
        self._idle.clear()
        self._wake.set()

    async def fly_for_ever(self) -> None:
        """Ends by cancellation only, between flights: a commit is never cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._fly(self._board())
            self._idle.set()

    def _board(self) -> list[Aboard[Kind]]:
        """The next flight: as many as the bounds of items and bytes allow, but one at least.

        Without the commands that nobody waits for any more. Of what is here no commit is under way
        and none was seen to land, so it is as if they had never come.
        """
        boarded: list[Aboard[Kind]] = []
        weight = 0
        items_max = self._halves.popleft() if self._halves else COMMIT_FLIGHT_ITEMS_MAX
        while self._waiting and len(boarded) < items_max:
            if _is_left(self._waiting[0]):
                self._waiting.popleft()
                continue
            weight += _weight(self._waiting[0])
            if boarded and weight > COMMIT_FLIGHT_BYTES_MAX:
                break
            boarded.append(self._waiting.popleft())
        return boarded

    @property
    def load(self) -> float:
        """The part of its queue that is taken."""
        return len(self._waiting) / LANE_QUEUE_ITEMS_MAX

    async def settled(self) -> None:
        """Returns once nothing waits and nothing flies."""
        await self._idle.wait()

    async def _fly(self, entries: list[Aboard[Kind]]) -> None:
        attempt, first_s = 0, self._clock.mono()
        while entries:
            try:
                began_s = self._clock.mono()
                self._tallies.flights.note(len(entries))
                await self._flights.fly(entries)
                self._tallies.commits.note(self._clock.mono() - began_s)
            except Unavailable as error:
                # Commands learn it at once and may ask again alike. Incidents are tried until the
                # store is back: what was committed unseen comes out as a duplicate.
                attempt += 1
                self._tell_away(error)
                entries = _keep_incidents(entries, error)
                if self._clock.mono() - first_s >= COMMANDS_WAIT_S:
                    self._waiting = deque(_keep_incidents(list(self._waiting), error))
                await self._clock.sleep(delay_s(RECONNECT, attempt, self._draws.unit()))
            except Exception as error:  # noqa: BLE001 - the lane must go on; logged and told
                if len(entries) <= 1:
                    _log.exception("a flight failed")
                    _fail(entries, error)
                else:
                    _log.warning("a flight of %d flies again in halves: %r", len(entries), error)
                    middle = len(entries) // 2
                    self._halves.extendleft((len(entries) - middle, middle))
                    self._waiting.extendleft(reversed(entries))
                return
            else:
                self._tell_back()
                # First in the next flight, in their order, with what came meanwhile.
                self._waiting.extendleft(reversed(entries))
                return

    def _tell_away(self, error: Unavailable) -> None:
        if not self._told_away:
            _log.warning("commits wait, trying again: %s", error)
        self._told_away = True

    def _tell_back(self) -> None:
        if self._told_away:
            _log.info("what waited is committed again")
        self._told_away = False


def _weight(entry: Aboard[Kind]) -> int:
    intent = entry.intent
    return plain.weight_of(intent) if isinstance(intent, PlainIntent) else weight_of(intent)


def _is_left(entry: Aboard[Kind]) -> bool:
    """Whether its caller is gone: it has no answer, and asks again if it still wants one."""
    ticket = entry.ticket
    if not isinstance(entry.intent, AnyCommand) or not isinstance(ticket, FutureTicket):
        return False
    return ticket.future.cancelled()


def _keep_incidents(entries: list[Aboard[Kind]], error: MainspringError) -> list[Aboard[Kind]]:
    kept = [entry for entry in entries if not isinstance(entry.intent, AnyCommand)]
    _fail([entry for entry in entries if isinstance(entry.intent, AnyCommand)], error)
    return kept


def _fail(entries: list[Aboard[Kind]], error: Exception) -> None:
    for entry in entries:
        entry.ticket.failed(error)


class Lanes:
    """A small fixed number of lanes; a session always rides the same one.

    Plain tasks have two of their own: one takes them in while the other ends them.
    """

    def __init__(
        self,
        lanes: tuple[Lane[Intent], ...],
        *,
        submits: Lane[PlainIntent],
        ends: Lane[PlainIntent],
    ) -> None:
        self._of_sessions = lanes
        self._submits = submits
        self._ends = ends
        self._lanes = (*lanes, submits, ends)

    def put(self, intent: AnyIntent, ticket: Ticket) -> None:
        if isinstance(intent, PlainSubmitted):
            self._submits.put(intent, ticket)
        elif isinstance(intent, PlainIncident):
            self._ends.put(intent, ticket)
        else:
            session: UUID = session_of(intent)
            self._of_sessions[session.int % len(self._of_sessions)].put(intent, ticket)

    async def ask(self, intent: AnyCommand) -> Answer:
        """Returns after the commit. Raises what refused it."""
        return await self.asked(intent)

    def asked(self, intent: AnyCommand) -> asyncio.Future[Answer]:
        """The answer to come. A full lane is told by it, too."""
        ticket = FutureTicket()
        try:
            self.put(intent, ticket)
        except TooManyRequests as error:
            ticket.failed(error)
        return ticket.future

    def load(self) -> float:
        """Of the fullest lane, of 1."""
        return max((lane.load for lane in self._lanes), default=0.0)

    async def settled(self) -> None:
        for lane in self._lanes:
            await lane.settled()

    async def fly_for_ever(self) -> None:
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.fly_for_ever())


class FutureTicket:
    """For callers that wait. One that left is not told; what has taken off is committed."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(self, answer: Answer) -> None:
        if not self.future.done():
            self.future.set_result(answer)

    def failed(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class NoTicket:
    """For incidents that nobody waits for; a failure is logged, the sweep will come again."""

    def __init__(self, session_id: UUID) -> None:
        self._session_id = session_id

    def done(self, answer: Answer) -> None:
        del answer

    def failed(self, error: Exception) -> None:
        session = to_wire(Prefix.SESSION, self._session_id)
        _log.warning("an incident was not settled: %s", error, extra={"session": session})
