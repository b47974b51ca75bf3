"""Keeps attempts alive and ends those that no worker holds: beats, starts, broken streams."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mainspring_engine.domain.intents import Died
from mainspring_engine.domain.limits import STREAM_GRACE_S, SWEEP_BATCH_ROWS_MAX
from mainspring_engine.domain.loss import closing_of, needs_lane
from mainspring_engine.domain.plain import PlainDied
from mainspring_engine.domain.rows import Closing, TaskKind
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.ports.outside import AttemptEnd, Witness
from mainspring_engine.ports.store import ExpiredTask, Handed, Release, Renewal, Store
from mainspring_engine.usecases.attachments import Attachment, Attachments
from mainspring_engine.usecases.batching import Batcher
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.outage import Outage
from mainspring_engine.usecases.plain_traces import traces_of
from mainspring_engine.usecases.reporting import Reports
from mainspring_engine.usecases.time import DatabaseTime
from mainspring_engine.usecases.unsettled import Settling, Unsettled
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_schema.frames import Acknowledgement, Held, Verdict

_log = logging.getLogger(__name__)


class Loss(NamedTuple):
    """A release, with the task as it was where its attempt deserves a span."""

    release: Release
    task: ExpiredTask | None


class Leases:
    """Renewals, starts and releases each ride their own flights.

    What came meanwhile rides the next.
    """

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        store: Store,
        attachments: Attachments,
        lanes: Lanes,
        clock: Clock,
        time: DatabaseTime,
        witness: Witness,
        woken: Callable[[], None],
        tallies: Tallies | None = None,
    ) -> None:
        self._store = store
        self._attachments = attachments
        self._lanes = lanes
        self._clock = clock
        self._woken = woken
        self._tallies = tallies or Tallies()
        self._renewals = Batcher(self._renew)
        self._starts = Batcher(self._start)
        self._witness = witness
        self._time = time
        self._releases = Batcher(self._release)
        self.reports = Reports(store, attachments, clock)
        self.outage = Outage(clock)
        self._unsettled = Unsettled(clock)
        """Tasks whose leases ran out."""
        self.beaten: bool = False
        """Whether one flight of renewals has landed: before it this engine expires nothing."""

    async def work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._first_beat())
            group.create_task(self.reports.work())
            for batcher in (self._renewals, self._starts, self._releases):
                group.create_task(batcher.work())

    async def _first_beat(self) -> None:
        while not self.beaten:
            try:
                await self._store.renew(())
                self.beaten = True
            except Unavailable:
                await self._clock.sleep(STREAM_GRACE_S)

    def beat(self, attachment: Attachment, held: tuple[Held, ...]) -> None:
        for item in held:
            renewal = Renewal(held=item, incarnation=attachment.incarnation)
            self._renewals.put(renewal, by=attachment.incarnation)

    def start(self, attachment: Attachment, held: Held) -> None:
        start = Renewal(held=held, incarnation=attachment.incarnation)
        self._starts.put(start, by=attachment.incarnation)

    def undelivered(self, held: Held) -> None:
        """A claim that could not be pushed."""
        self._releases.put(Loss(Release(held=held, closing=Closing.UNDELIVERED), None))

    def returned(self, held: Held) -> None:
        """A worker gave a task back unstarted."""
        self._releases.put(Loss(Release(held=held, closing=Closing.RETURNED), None))

    # ── flights ─────────────────────────────────────────────────────────────────────────────────

    async def _renew(self, renewals: tuple[Renewal, ...]) -> None:
        with self.outage.watched():
            replies = await self._store.renew(renewals)
        self.outage.served()
        self.beaten = True
        for renewal, reply in zip(renewals, replies, strict=True):
            attachment = self._attachments.get(renewal.incarnation)
            if attachment is None:
                continue
            if reply.lost:
                attachment.outbox.lost(reply.held)
                self._attachments.drop(attachment, reply.held)
                continue
            attachment.outbox.renewed(reply.held)
            if reply.cancelling:
                attachment.outbox.cancelled(reply.held)

    async def _start(self, starts: tuple[Renewal, ...]) -> None:
        while True:
            try:
                verdicts = await self._store.start(starts)
                break
            except Unavailable:
                # A worker asks once, renews and waits: a dropped answer would never come.
                await self._clock.sleep(STREAM_GRACE_S)
        for start, verdict in zip(starts, verdicts, strict=True):
            attachment = self._attachments.get(start.incarnation)
            if attachment is not None:
                attachment.outbox.start(Acknowledgement(held=start.held, verdict=verdict))

    async def _release(self, losses: tuple[Loss, ...]) -> None:
        verdicts = await self._store.release(tuple(loss.release for loss in losses))
        ended = [
            loss
            for loss, verdict in zip(losses, verdicts, strict=True)
            if verdict is Verdict.COMMITTED
        ]
        if not ended:
            return
        self._tallies.expired += sum(loss.release.expired_only for loss in ended)
        self._woken()
        await self._tell(ended)

    async def _tell(self, ended: Sequence[Loss]) -> None:
        """A plain task has no workflow that keeps its trace: it stands with what it was made of."""
        tasks = [(loss.task, loss.release) for loss in ended if loss.task is not None]
        plain = [task.task.id for task, _ in tasks if task.task.kind is TaskKind.PLAIN]
        traces = await traces_of(self._store, plain)
        now_ms = self._time.now_ms()
        for task, release in tasks:
            trace = traces.get(task.task.id, task.traceparent)
            self._witness.attempt_ended(_end_of(task, release, trace, now_ms))

    # ── losses ──────────────────────────────────────────────────────────────────────────────────

    async def broken(self, attachment: Attachment) -> None:
        """A stream broke: its worker has a grace to come back, here or at another engine."""
        handed = attachment.handed()
        await self._clock.sleep(STREAM_GRACE_S)
        while True:
            with contextlib.suppress(Unavailable), self.outage.watched():
                await self._acknowledge(handed)
                tasks = await self._store.held_by(attachment.incarnation)
                if not self.outage.excuses:
                    break
            # Counted only where the database answers and did so lately: its outage was nobody's
            # death, and its worker may only now come back.
            await self._clock.sleep(STREAM_GRACE_S)
        last: list[ExpiredTask] = []
        for task in tasks:
            if task.task.effect.needs_start and task.task.started:
                continue  # it waits for its lease: the effect may still be under way
            if needs_lane(task.task, acknowledged=task.acknowledged):
                last.append(task)
                continue
            release = _release_of(task, _handed(attachment, task))
            self._releases.put(Loss(release, task))
        await self._lapse(attachment, last)

    async def _lapse(self, attachment: Attachment, tasks: Sequence[ExpiredTask]) -> None:
        """What the commit lane has to decide need not wait for its lease either.

        Its end is compared with the attach number under the lock, for its worker may be back, and
        leaves the rest to the sweep, which knows when nobody's death is to be counted.
        """
        if not tasks:
            return
        try:
            lapsed = await self._store.lapse(tuple(_handed(attachment, task) for task in tasks))
        except Unavailable as error:
            _log.warning("tasks of a lost worker wait for their leases: %s", error)
            return
        if any(verdict is Verdict.COMMITTED for verdict in lapsed):
            with contextlib.suppress(Unavailable):  # the next sweep finds them as well
                await self.expire()

    async def look_over(self, attachment: Attachment, before_s: float) -> None:
        """Its worker does not name what it was given: what the tables do not name is dropped here.

        An attempt was refused, say, for another engine had ended the task. What the worker was
        given after `before_s` it may not have had yet when it spoke.
        """
        try:
            tasks = await self._store.held_by(attachment.incarnation)
        except Unavailable:
            return  # it will say so again
        held = {Held(one.task.id, one.task.fence) for one in tasks}
        for one in attachment.given_before(before_s):
            if one not in held:
                self._attachments.drop(attachment, one)

    async def fell_silent(self, attachment: Attachment) -> None:
        """A worker says nothing any more and keeps its stream: what it was given may be why."""
        try:
            await self._acknowledge(attachment.handed())
        except Unavailable as error:
            _log.warning("a silent worker's tasks count as undelivered: %s", error)

    async def _acknowledge(self, handed: tuple[Handed, ...]) -> None:
        """A task that kills its worker at once leaves it no time to say that it came."""
        if handed:
            await self._store.acknowledge(handed)

    async def expire(self) -> tuple[int, bool]:
        """One pass over leases that ran out; how many, and whether more may be there."""
        if not self.beaten:
            return 0, False
        with self.outage.watched():
            tasks = await self._store.expired(SWEEP_BATCH_ROWS_MAX, but=self._unsettled.ids())
        self.outage.served()
        if self.outage.excuses:
            return 0, False
        for task in tasks:
            if needs_lane(task.task, acknowledged=task.acknowledged):
                self._tallies.expired += 1
                ticket = Settling(task.session_id, task.task.id, self._unsettled)
                self._lanes.put(_died(task), ticket)
            else:
                self._releases.put(Loss(_release_of(task), task))
        return len(tasks), len(tasks) == SWEEP_BATCH_ROWS_MAX


def _handed(attachment: Attachment, task: ExpiredTask) -> Handed:
    return Handed(
        held=Held(task.task.id, task.task.fence),
        incarnation=attachment.incarnation,
        attach_number=attachment.attach_number,
    )


def _release_of(lost: ExpiredTask, broken: Handed | None = None) -> Release:
    """Of a lease that ran out, or of one whose stream broke."""
    return Release(
        held=Held(lost.task.id, lost.task.fence),
        closing=closing_of(acknowledged=lost.acknowledged),
        counts_death=lost.acknowledged,
        expired_only=broken is None,
        incarnation=None if broken is None else broken.incarnation,
        attach_number=None if broken is None else broken.attach_number,
    )


def _end_of(lost: ExpiredTask, release: Release, trace: str, now_ms: int) -> AttemptEnd:
    return AttemptEnd(
        held=release.held,
        session_id=lost.session_id,
        workflow_id=lost.workflow_id,
        traceparent=trace,
        closing=release.closing,
        claimed_ms=lost.claimed_ms,
        ended_ms=now_ms,
    )


def _died(lost: ExpiredTask) -> Died | PlainDied:
    if lost.task.kind is TaskKind.PLAIN:
        return PlainDied(task=lost.task, claimed_ms=lost.claimed_ms)
    return Died(
        session_id=lost.session_id,
        org_id=lost.org_id,
        workflow_id=lost.workflow_id,
        task=lost.task,
        acknowledged=lost.acknowledged,
    )
