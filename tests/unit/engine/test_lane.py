"""The commit lane: who rides which flight."""

import asyncio
from typing import cast
from uuid import UUID

import pytest
from typing_extensions import override

from mainspring_engine.domain.intents import Answered, Intent, WorkflowCancelled
from mainspring_engine.domain.limits import (
    COMMANDS_WAIT_S,
    COMMIT_FLIGHT_BYTES_MAX,
    COMMIT_FLIGHT_ITEMS_MAX,
)
from mainspring_engine.usecases.lane import Entry, FutureTicket, Lane, NoTicket
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.frames import Held
from mainspring_schema.tasks import ToolResult
from mainspring_schema.workflows import CancelWorkflow


class Airfield:
    """Notes how many ride each flight."""

    def __init__(self) -> None:
        self.flights: list[int] = []

    async def fly(self, entries: list[Entry]) -> None:
        self.flights.append(len(entries))
        entries.clear()


def answered(body: bytes) -> Answered:
    return Answered(
        session_id=UUID(int=1),
        org_id=DEFAULT_ORG_ID,
        held=Held(UUID(int=2), 1),
        hash=b"",
        body=body,
        result=ToolResult(status="success"),
    )


async def flown(*bodies: bytes) -> list[int]:
    airfield = Airfield()
    lane = Lane(airfield, ManualClock(), SeededDraws(1))
    for body in bodies:
        lane.put(answered(body), NoTicket(UUID(int=1)))
    flying = asyncio.create_task(lane.fly_for_ever())
    await lane.settled()
    flying.cancel()
    return airfield.flights


async def test_what_waits_rides_one_flight() -> None:
    assert await flown(*[b"x"] * 10) == [10]


async def test_flight_is_cut_at_its_bound_of_items() -> None:
    assert await flown(*[b"x"] * (COMMIT_FLIGHT_ITEMS_MAX + 3)) == [COMMIT_FLIGHT_ITEMS_MAX, 3]


async def test_flight_is_cut_at_its_bound_of_bytes_but_one_always_flies() -> None:
    large = bytes(COMMIT_FLIGHT_BYTES_MAX // 2)
    too_large = bytes(COMMIT_FLIGHT_BYTES_MAX + 1)

    assert await flown(large, large, b"x", too_large) == [2, 1, 1]


async def test_a_command_whose_caller_left_before_it_took_off_does_not_fly() -> None:
    airfield = Airfield()
    lane = Lane(airfield, ManualClock(), SeededDraws(1))
    tickets = [FutureTicket() for _ in range(3)]
    command = CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=UUID(int=1))
    for ticket in tickets:
        lane.put(WorkflowCancelled(command=command), ticket)
    lane.put(answered(b"x"), left := FutureTicket())
    tickets[0].future.cancel()
    tickets[2].future.cancel()
    left.future.cancel()  # nobody asks for a result again

    flying = asyncio.create_task(lane.fly_for_ever())
    await lane.settled()
    flying.cancel()

    assert airfield.flights == [2]


class Detour:
    """The first flight settles all but its last two."""

    def __init__(self) -> None:
        self.flights: list[list[bytes]] = []
        self.lane: Lane[Intent] | None = None

    async def fly(self, entries: list[Entry]) -> None:
        self.flights.append([cast("Answered", entry.intent).body for entry in entries])
        if len(self.flights) > 1:
            entries.clear()
            return
        assert self.lane is not None
        self.lane.put(answered(b"later"), NoTicket(UUID(int=1)))
        del entries[:-2]


async def test_what_a_flight_leaves_flies_again_before_what_came_meanwhile() -> None:
    detour = Detour()
    detour.lane = Lane(detour, ManualClock(), SeededDraws(1))
    for body in (b"a", b"b", b"c"):
        detour.lane.put(answered(body), NoTicket(UUID(int=1)))
    flying = asyncio.create_task(detour.lane.fly_for_ever())
    await detour.lane.settled()
    flying.cancel()

    assert detour.flights == [[b"a", b"b", b"c"], [b"b", b"c", b"later"]]


class ClosedAirfield(Airfield):
    """Nothing lands until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False

    @override
    async def fly(self, entries: list[Entry]) -> None:
        if not self.open:
            detail = "no space left"
            raise Unavailable(detail)
        await super().fly(entries)


async def kept_waiting(lane: Lane[Intent], clock: ManualClock, seconds: float) -> FutureTicket:
    """A command behind a result that flies in vain for so long, and once more."""
    lane.put(answered(b"x"), NoTicket(UUID(int=1)))
    await clock.until_sleeping()
    ticket = FutureTicket()
    command = CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=UUID(int=1))
    lane.put(WorkflowCancelled(command=command), ticket)
    clock.advance(seconds)
    await clock.until_sleeping()
    return ticket


@pytest.mark.parametrize(("seconds", "refused"), [(0.2, False), (COMMANDS_WAIT_S, True)])
async def test_a_command_behind_a_flight_that_cannot_land_is_refused_in_time(
    seconds: float, refused: bool
) -> None:
    airfield, clock = ClosedAirfield(), ManualClock()
    lane = Lane(airfield, clock, SeededDraws(1))
    flying = asyncio.create_task(lane.fly_for_ever())

    ticket = await kept_waiting(lane, clock, seconds)
    early = ticket.future.done()
    airfield.open = True
    clock.advance(COMMANDS_WAIT_S)
    await lane.settled()
    flying.cancel()

    assert early is refused
    assert not refused or isinstance(ticket.future.exception(), Unavailable)
    assert airfield.flights == ([1] if refused else [1, 1])


async def test_that_nothing_can_be_committed_is_said_once_with_its_reason_and_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    airfield, clock = ClosedAirfield(), ManualClock()
    lane = Lane(airfield, clock, SeededDraws(1))
    flying = asyncio.create_task(lane.fly_for_ever())

    with caplog.at_level("INFO"):
        ticket = await kept_waiting(lane, clock, COMMANDS_WAIT_S)
        airfield.open = True
        clock.advance(COMMANDS_WAIT_S)
        await lane.settled()
    flying.cancel()

    ticket.future.exception()
    assert caplog.messages == [
        "commits wait, trying again: no space left",
        "what waited is committed again",
    ]


class Minefield:
    """A flight with `bad` aboard fails; the others land in order."""

    def __init__(self, bad: frozenset[bytes]) -> None:
        self.bad = bad
        self.landed: list[bytes] = []

    async def fly(self, entries: list[Entry]) -> None:
        bodies = [cast("Answered", entry.intent).body for entry in entries]
        if self.bad & set(bodies):
            raise ValueError(bodies)
        self.landed += bodies
        entries.clear()


class NotedTicket(NoTicket):
    def __init__(self, body: bytes, failed: list[bytes]) -> None:
        super().__init__(UUID(int=1))
        self._body = body
        self._failed = failed

    @override
    def failed(self, error: Exception) -> None:
        self._failed.append(self._body)


@pytest.mark.parametrize("bad", [b"a", b"g", b"cd", b"abcdefg"], ids=str)
async def test_who_is_at_fault_falls_alone_and_the_others_keep_their_order(bad: bytes) -> None:
    every = [bytes([one]) for one in b"abcdefg"]
    mines, failed = Minefield(frozenset(bytes([one]) for one in bad)), list[bytes]()
    lane = Lane(mines, ManualClock(), SeededDraws(1))
    for body in every:
        lane.put(answered(body), NotedTicket(body, failed))
    flying = asyncio.create_task(lane.fly_for_ever())
    await lane.settled()
    lane.put(answered(b"later"), NotedTicket(b"later", failed))
    await lane.settled()
    flying.cancel()

    assert failed == [one for one in every if one in mines.bad]
    assert mines.landed == [*(one for one in every if one not in mines.bad), b"later"]
