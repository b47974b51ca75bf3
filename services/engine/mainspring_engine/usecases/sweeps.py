"""Bounded passes over what is due.

Anyone may call them, also twice. The scheduler does at its own pace, and an engine that sees no
recent sweep does it by itself.
"""

import asyncio
import logging
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.intents import SignalCame, TimerDue
from mainspring_engine.domain.limits import (
    LEASE_SWEEP_PART_MAX,
    LEASE_SWEEP_REST_S_MAX,
    SIGNAL_LOST_MS,
    SIGNAL_TRIES_MAX,
    SIGNALS_LOOK_S,
    SWEEP_BATCH_ROWS_MAX,
    SWEEP_SILENCE_S,
)
from mainspring_engine.domain.plain import START_BOUND
from mainspring_engine.domain.workflow import children
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.store import DueTimer, Store
from mainspring_engine.ports.workflows import UntakenSignal
from mainspring_engine.usecases.lane import Lanes, NoTicket
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.unsettled import Settling, Unsettled
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


class SweepKind(StrEnum):
    TIMERS = "timers"
    RETRIES = "retries"
    LEASES = "leases"


class Swept(NamedTuple):
    """`more`: the pass was full, so another one may find something."""

    handled: int
    more: bool


class Sweeps:
    def __init__(
        self, *, store: Store, lanes: Lanes, leases: Leases, announcer: Announcer, clock: Clock
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._leases = leases
        self._announcer = announcer
        self._clock = clock
        self._swept_at: dict[SweepKind, float] = {}
        self._signals_due_s = 0.0
        """When to look for lost signals again."""
        self._leases_due_s = 0.0
        self._leases_took_s = 0.0
        """The last pass over leases."""
        self._unsettled = Unsettled(clock)
        """Timers."""

    async def sweep(self, kind: SweepKind) -> Swept:
        """One pass. Raises Unavailable."""
        match kind:
            case SweepKind.TIMERS:
                swept = await self._fire_timers()
            case SweepKind.RETRIES:
                swept = await self._ready_retries()
            case SweepKind.LEASES:
                swept = await self._expire()
                await self._bring_lost_signals()
        self._swept_at[kind] = self._clock.mono()
        return swept

    async def _expire(self) -> Swept:
        """Rows that a held snapshot keeps make passes long: they get rarer, leases do not.

        Only where two in a row are long: a single one waited for the database, or stood still with
        this process.
        """
        began_s = self._clock.mono()
        if began_s < self._leases_due_s:
            return Swept(0, more=False)
        swept = Swept(*await self._leases.expire())
        ended_s = self._clock.mono()
        took_s, before_s = ended_s - began_s, self._leases_took_s
        self._leases_took_s = took_s
        rest_s = min(LEASE_SWEEP_REST_S_MAX, min(took_s, before_s) / LEASE_SWEEP_PART_MAX)
        self._leases_due_s = ended_s if swept.more else ended_s + rest_s
        return swept

    async def _fire_timers(self) -> Swept:
        """Returns once what it fired is committed, so that the next pass reads what is left."""
        timers = await self._store.due_timers(SWEEP_BATCH_ROWS_MAX, but=self._unsettled.ids())
        bounds = tuple(timer.id for timer in timers if timer.kind == START_BOUND)
        await self._time_out(bounds)
        fired = [
            self._fire(timer)
            for timer in timers
            # Another pass may have found it meanwhile.
            if timer.kind != START_BOUND and timer.id not in self._unsettled
        ]
        if fired:
            await asyncio.wait(fired)
        handled = len(bounds) + len(fired)
        return Swept(handled, len(timers) == SWEEP_BATCH_ROWS_MAX and handled > 0)

    async def _time_out(self, task_ids: tuple[UUID, ...]) -> None:
        """Plain tasks have no session: their rows alone say whether a worker took them in time."""
        if not task_ids:
            return
        ended = await self._store.plain.time_out(task_ids)
        if ended:
            self._announcer.ended(ended)

    def _fire(self, timer: DueTimer) -> asyncio.Future[None]:
        due = TimerDue(
            session_id=timer.session_id,
            org_id=timer.org_id,
            workflow_id=timer.workflow_id,
            timer_id=timer.id,
            kind=timer.kind,
        )
        ticket = _Fired(timer.session_id, timer.id, self._unsettled)
        self._lanes.put(due, ticket)
        return ticket.over

    async def _bring_lost_signals(self) -> None:
        """Those between sessions whose hint was lost. They lie here until their lane took them."""
        now_s = self._clock.mono()
        if now_s < self._signals_due_s:
            return
        lost = await self._store.workflows.untaken(
            older_than_ms=SIGNAL_LOST_MS, limit=SWEEP_BATCH_ROWS_MAX
        )
        self._signals_due_s = now_s if lost else now_s + SIGNALS_LOOK_S
        for signal in lost:
            if signal.tries <= SIGNAL_TRIES_MAX:
                self.bring(
                    SignalCame(
                        session_id=signal.session_id,
                        org_id=signal.org_id,
                        source=signal.source,
                        kind=signal.kind,
                    )
                )
        spent = [signal for signal in lost if signal.tries > SIGNAL_TRIES_MAX]
        views = await self._store.load(tuple({one.session_id for one in spent})) if spent else {}
        for signal in spent:
            view = views.get(signal.session_id)
            deleted = view is not None and view.head is not None and view.head.closed
            if not deleted or signal.kind == children.START:  # else it is nothing to anybody
                self._give_up(signal)

    def _give_up(self, signal: UntakenSignal) -> None:
        """A parent that waits is told; a child that is to be cancelled goes on, and is logged."""
        _log.error(
            "the signal %s was given up after %d tries",
            signal.kind,
            SIGNAL_TRIES_MAX,
            extra={"session": to_wire(Prefix.SESSION, signal.session_id)},
        )
        if signal.kind == children.CANCEL:
            return
        of_parent = signal.kind == children.START
        parent, child = signal.session_id, signal.source
        if of_parent:
            parent, child = child, parent
        self.bring(
            SignalCame(session_id=parent, org_id=signal.org_id, source=child, kind=children.LOST)
        )

    def bring(self, signal: SignalCame) -> None:
        """To the lane of the session that it is for."""
        self._lanes.put(signal, NoTicket(signal.session_id))

    async def _ready_retries(self) -> Swept:
        retried = await self._store.ready_retries(SWEEP_BATCH_ROWS_MAX)
        if retried:
            self._announcer.ready(())
        return Swept(len(retried), len(retried) == SWEEP_BATCH_ROWS_MAX)

    async def stand_in(self) -> None:
        """Sweeps whatever nobody has swept for SWEEP_SILENCE_S."""
        while True:
            await self._clock.sleep(SWEEP_SILENCE_S)
            silent = [kind for kind in SweepKind if self._silent(kind)]
            if not silent:
                continue  # the calls came here: nobody need be asked
            with one_pass(_log, "a sweep that stands in"), self._leases.outage.watched():
                ages = await self._store.sweep_ages_ms()
                for kind in silent:
                    if ages.get(kind.value, SWEEP_SILENCE_S * 1000) >= SWEEP_SILENCE_S * 1000:
                        await self.sweep(kind)
                    elif kind is SweepKind.LEASES:
                        self._leases.outage.served()

    def _silent(self, kind: SweepKind) -> bool:
        """Whether this engine made no such sweep lately; another one may have."""
        at = self._swept_at.get(kind)
        return at is None or self._clock.mono() - at >= SWEEP_SILENCE_S


class _Fired(Settling):
    """Tells the sweep that it is over with a timer, whatever became of it."""

    def __init__(self, session_id: UUID, timer_id: UUID, unsettled: Unsettled) -> None:
        super().__init__(session_id, timer_id, unsettled)
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(self, answer: Answer) -> None:
        super().done(answer)
        self.over.set_result(None)

    def failed(self, error: Exception) -> None:
        super().failed(error)
        self.over.set_result(None)
