"""What becomes of the end of a plain task's attempt, beside its row."""

from typing import cast
from uuid import UUID

from mainspring_engine.domain.plain import PlainAnswered, PlainEnd, PlainIncident
from mainspring_engine.domain.rows import Closing
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.alarms import Alarms
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.lane import Aboard, NoTicket
from mainspring_engine.usecases.plain_flights import PlainFlights
from mainspring_engine.usecases.plain_traces import PlainTraces
from mainspring_engine.usecases.pushing import Pusher
from mainspring_engine.usecases.seating import Seating
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw

ID = UUID(int=1)


class Rows:
    """A store in which every end is as it should be."""

    def __init__(self) -> None:
        self.plain = self

    async def end(self, ends: tuple[PlainEnd, ...]) -> tuple[Verdict, ...]:
        return tuple(Verdict.COMMITTED for _ in ends)


class Delays:
    """Alarms that were set."""

    def __init__(self) -> None:
        self.set: list[int] = []

    def delayed(self, delay_ms: int) -> None:
        self.set.append(delay_ms)


class Untraced:
    """No task has a trace."""

    def ended(self, incident: PlainAnswered, closing: Closing) -> None: ...

    async def died(self, incidents: list[PlainIncident]) -> None: ...


async def test_the_next_attempt_is_due_at_its_time_and_not_at_the_next_sweep() -> None:
    delays = Delays()
    flights = PlainFlights(
        store=cast("Store", cast("object", Rows())),
        seating=cast("Seating", object()),
        attachments=Attachments(),
        pusher=cast("Pusher", object()),
        announcer=cast("Announcer", object()),
        alarms=cast("Alarms", cast("object", delays)),
        tallies=Tallies(),
        traces=cast("PlainTraces", cast("object", Untraced())),
    )
    result = PlainResult(flaw=Flaw(code="step_failed", message="no"), retry_ms=40)
    answered = PlainAnswered(held=Held(ID, 1), hash=b"h", body=pack(result), result=result)

    await flights.fly([Aboard(answered, NoTicket(ID))])

    assert delays.set == [40]
