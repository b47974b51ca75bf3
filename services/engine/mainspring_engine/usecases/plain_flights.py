"""Flights of plain tasks: many are inserted by one statement, many are ended by one.

As in the lanes of sessions, nobody is told before the commit. There is no state to decide from:
what a task may become depends on its own row, which the store compares.
"""

from typing import NamedTuple
from uuid import UUID

from mainspring_engine.domain.backlog import Group
from mainspring_engine.domain.plain import (
    NewPlain,
    PlainAnswered,
    PlainDied,
    PlainEnd,
    PlainIncident,
    PlainSubmitted,
    end_of,
    is_same,
)
from mainspring_engine.domain.rows import Closing
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.plain import PlainAdded
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.alarms import Alarms
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.lane import PlainEntry, Ticket
from mainspring_engine.usecases.plain_traces import PlainTraces
from mainspring_engine.usecases.pushing import Pusher
from mainspring_engine.usecases.seating import Seating
from mainspring_kernel.errors import MainspringError, TaskIdMismatch
from mainspring_schema.frames import Verdict
from mainspring_schema.plain import TaskReceipt, TaskReceipts, TaskRefusal


class _Submit(NamedTuple):
    entry: PlainEntry
    tasks: tuple[NewPlain, ...]


class _End(NamedTuple):
    entry: PlainEntry
    incident: PlainIncident
    end: PlainEnd


class PlainFlights:
    """Serves the lanes of plain tasks."""

    def __init__(  # noqa: PLR0913 - one named part each
        self,
        *,
        store: Store,
        seating: Seating,
        attachments: Attachments,
        pusher: Pusher,
        announcer: Announcer,
        alarms: Alarms,
        tallies: Tallies,
        traces: PlainTraces,
    ) -> None:
        self._traces = traces
        self._alarms = alarms
        self._announcer = announcer
        self._store = store
        self._seating = seating
        self._attachments = attachments
        self._pusher = pusher
        self._tallies = tallies

    async def fly(self, entries: list[PlainEntry]) -> None:
        """What is settled leaves the list, so that the lane repeats only the rest."""
        submits: list[_Submit] = []
        ends: list[_End] = []
        for entry in entries:
            match entry.intent:
                case PlainSubmitted(tasks=tasks):
                    submits.append(_Submit(entry, tasks))
                case PlainAnswered() | PlainDied() as incident:
                    ends.append(_End(entry, incident, end_of(incident)))
        if submits:
            await self._submit(submits)
            entries[:] = [one.entry for one in ends]
        if ends:
            await self._end(ends)
            entries.clear()

    # ── submits ─────────────────────────────────────────────────────────────────────────────────

    async def _submit(self, submits: list[_Submit]) -> None:
        new: dict[UUID, NewPlain] = {}
        for submit in submits:
            for task in submit.tasks:
                new.setdefault(task.id, task)
        seated = {id_: self._seat(task, len(new)) for id_, task in new.items()}
        try:
            added = await self._store.plain.submit(tuple(seated.values()))
        except BaseException:
            for task in seated.values():
                self._unseat(task, unheard=True)
            raise
        self._place(seated, added)
        for task in new.values():
            if task.start_within_ms is not None:
                self._alarms.bounded(task.start_within_ms)
        added = await self._traces.overlooked(new, added)
        plain = len(new) == sum(len(submit.tasks) for submit in submits) and not added.absent
        for submit in submits:
            receipts = tuple(
                TaskReceipt(task_id=task.id) if plain else _receipt(task, new, added)
                for task in submit.tasks
            )
            submit.entry.ticket.done(TaskReceipts(receipts=receipts))

    def _seat(self, task: NewPlain, among: int) -> NewPlain:
        """Claimed at once for a worker with a free credit, where nothing waits before it."""
        return task.claimed(self._seating.take(task.route, task.id, among=among))

    def _unseat(self, task: NewPlain, *, unheard: bool = False) -> None:
        if task.claim is not None:
            self._seating.give_back(task.route, task.id, task.claim, unheard=unheard)

    def _place(self, seated: dict[UUID, NewPlain], added: PlainAdded) -> None:
        """Pushes what was claimed; who could take the rest is woken."""
        troubled = added.absent or bool(added.unclaimed)
        absent = added.known | added.differing | added.invalid
        ready: list[NewPlain] = []
        for id_, task in seated.items():
            if troubled and (id_ in absent or id_ in added.unclaimed):
                self._unseat(task)
            elif task.claim is not None:
                self._pusher.push_plain(task, task.claim)
                continue
            if id_ not in absent:
                ready.append(task)
        self._seating.ready(
            (Group(task.route, task.org_id, task.priority), task.id) for task in ready
        )

    # ── ends ────────────────────────────────────────────────────────────────────────────────────

    async def _end(self, ends: list[_End]) -> None:
        verdicts = await self._store.plain.end(tuple(one.end for one in ends))
        over: list[UUID] = []
        for (entry, incident, end), verdict in zip(ends, verdicts, strict=True):
            if verdict is Verdict.COMMITTED:
                self._traces.ended(incident, end.closing)
                if end.delay_ms is not None:
                    self._alarms.delayed(end.delay_ms)
                if end.closing is Closing.RETRIED:
                    self._tallies.retries.add((end.error_code,))
                else:
                    over.append(end.held.task_id)
                self._attachments.ended(end.held)
            _tell(entry.ticket, verdict)
        if over:
            self._announcer.ended(tuple(over))
        pairs = zip(ends, verdicts, strict=True)
        await self._traces.died(
            [one.incident for one, verdict in pairs if verdict is Verdict.COMMITTED]
        )


def _tell(ticket: Ticket, verdict: Verdict) -> None:
    if verdict is Verdict.INVALID:
        ticket.failed(MainspringError("the end of a task broke a rule of the tables"))
    else:
        ticket.done(verdict)


def _receipt(task: NewPlain, new: dict[UUID, NewPlain], added: PlainAdded) -> TaskReceipt:
    first = new[task.id]
    if task.id in added.invalid:
        return _refused(task.id, MainspringError())
    if task.id in added.differing or not is_same(first.payload, task.payload):
        return _refused(task.id, TaskIdMismatch())
    return TaskReceipt(task_id=task.id, duplicate=task.id in added.known or first is not task)


def _refused(task_id: UUID, error: MainspringError) -> TaskReceipt:
    refusal = TaskRefusal(code=error.code, message=error.detail)
    return TaskReceipt(task_id=task_id, refusal=refusal)
