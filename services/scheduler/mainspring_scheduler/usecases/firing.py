"""One pass over the schedules that are due: claim, decide, commit, ask the targets, commit again.

No transaction is open while a target is asked. What is asked for was committed before, under ids of
its own. So a replica that takes over after a death asks for the same thing again, and it happens
once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Ids
from mainspring_scheduler.domain import limits, planning
from mainspring_scheduler.domain import slots as rows
from mainspring_scheduler.domain.duties import Report
from mainspring_scheduler.domain.planning import Decision
from mainspring_scheduler.domain.slots import Ended, Schedule, Slot
from mainspring_scheduler.ports.schedules import Held, ScheduleStore, Write
from mainspring_scheduler.ports.targets import Targets

T = TypeVar("T")
_log = logging.getLogger(__name__)


class _Case(Struct, frozen=True, kw_only=True):
    """A claimed schedule, and what was decided for it."""

    schedule: Schedule
    decision: Decision


class _Now:
    """The store's time, carried on from a claim by this process's clock of durations."""

    def __init__(self, clock: Clock, claimed_ms: int) -> None:
        self._clock = clock
        self._claimed_ms = claimed_ms
        self._since = clock.mono()

    def ms(self) -> int:
        return self._claimed_ms + round((self._clock.mono() - self._since) * 1000)


class Firing:
    """Shared by nothing: any number of replicas may make passes at the same time."""

    def __init__(
        self, *, store: ScheduleStore, targets: Targets, clock: Clock, ids: Ids, draws: Draws
    ) -> None:
        self._store = store
        self._targets = targets
        self._clock = clock
        self._ids = planning.Ids(
            slot=ids.uuid7, session=ids.uuid7, message=ids.uuid4, workflow=ids.uuid7
        )
        self._draws = draws
        self._room = asyncio.Semaphore(limits.SLOT_CALLS_IN_AIR_MAX)

    async def once(self) -> Report:
        """Raises Unavailable where the store is; a target that is away only puts its slots off."""
        claimed = await self._store.claim(
            limit=limits.SCHEDULES_PER_CLAIM_MAX, hold_ms=limits.SCHEDULE_HOLD_MS
        )
        if not claimed.held:
            return Report()
        now = _Now(self._clock, claimed.now_ms)
        found = await self._look(claimed.held, claimed.now_ms)
        decided = [self._decided(held, found, claimed.now_ms) for held in claimed.held]
        cases = [case for case in decided if case is not None]
        written = await self._store.commit([_first(case) for case in cases])
        asking = [case for case in cases if case.schedule.id in written and _asks(case.decision)]
        if asking:
            settled = await asyncio.gather(*(self._settled(case, now) for case in asking))
            await self._store.commit(settled)
        full = len(claimed.held) == limits.SCHEDULES_PER_CLAIM_MAX
        behind = any((case.decision.due_ms or now.ms()) < claimed.now_ms for case in cases)
        return Report(handled=len(cases), more=full or behind)

    def _decided(self, held: Held, found: Mapping[UUID, Ended | None], now_ms: int) -> _Case | None:
        """None where it cannot be decided: it holds up no other one, and comes again."""
        schedule = held.schedule
        try:
            decision = planning.decide(schedule, held.slots, found, now_ms=now_ms, ids=self._ids)
        except Exception:  # noqa: BLE001 - a zone that this machine has no more, say
            _log.exception("a schedule cannot be decided", extra={"schedule": str(schedule.id)})
            return None
        return _Case(schedule=schedule, decision=decision)

    # ── how the running ones go ─────────────────────────────────────────────────────────────

    async def _look(self, helds: Sequence[Held], now_ms: int) -> dict[UUID, Ended | None]:
        asked = [
            slot
            for held in helds
            for slot in planning.asked_about(held.schedule, held.slots, now_ms=now_ms)
        ]
        if not asked:
            return {}
        try:
            states = await self._targets.look(asked)
        except MainspringError as error:
            # Nothing is known of them, so they count as at work, and are asked again later.
            _log.info("slots cannot be asked how they go: %s", error.detail)
            states = [None] * len(asked)
        return {slot.id: state for slot, state in zip(asked, states, strict=True)}

    # ── what is asked of targets ────────────────────────────────────────────────────────────

    async def _settled(self, case: _Case, now: _Now) -> Write:
        decision = case.decision
        # Of its revision behind the first write.
        schedule = msgspec.structs.replace(case.schedule, rev=case.schedule.rev + 1)
        changed = await asyncio.gather(
            *(self._in_room(self._start(schedule, slot, now)) for slot in decision.starts)
        )
        await asyncio.gather(*(self._in_room(self._cancel(slot)) for slot in decision.cancels))
        if rows.session_gone(schedule, changed):
            decision = msgspec.structs.replace(decision, next_ms=None)
        present = {slot.id: slot for slot in (*decision.rest, *changed)}
        due_ms = planning.due_again(
            schedule, decision.next_ms, tuple(present.values()), now_ms=now.ms()
        )
        return Write(schedule=_after(schedule, decision, due_ms), slots=tuple(changed))

    async def _in_room(self, asking: Awaitable[T]) -> T:
        async with self._room:
            return await asking

    async def _start(self, schedule: Schedule, slot: Slot, now: _Now) -> Slot:
        named = {"schedule": str(schedule.id), "slot": str(slot.id)}
        try:
            started = await self._targets.start(schedule, slot)
        except MainspringError as error:
            _log.info(
                "a slot was not started: %s", error.detail, extra=named | {"code": error.code}
            )
            refusal = error
        except Exception:  # noqa: BLE001 - others asked for beside it are written all the same
            _log.exception("a slot could not be asked for", extra=named)
            refusal = MainspringError()
        else:
            return rows.running(slot, started, now_ms=now.ms())
        return rows.refused(slot, refusal, now_ms=now.ms(), draw=self._draws.unit())

    async def _cancel(self, slot: Slot) -> None:
        try:
            await self._targets.cancel(slot)
        except MainspringError as error:
            # It is asked again at the next look, which a slot that waits for it makes soon.
            _log.info("a slot was not cancelled: %s", error.detail, extra={"slot": str(slot.id)})


def _asks(decision: Decision) -> bool:
    return bool(decision.starts or decision.cancels)


def _first(case: _Case) -> Write:
    decision = case.decision
    return Write(
        schedule=_after(case.schedule, decision, decision.due_ms),
        slots=decision.slots,
        fresh=decision.fresh,
        keep_hold=_asks(decision),
    )


def _after(schedule: Schedule, decision: Decision, due_ms: int | None) -> Schedule:
    return msgspec.structs.replace(
        schedule, next_ms=decision.next_ms, last_ms=decision.last_ms, due_ms=due_ms
    )
