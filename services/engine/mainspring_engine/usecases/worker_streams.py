"""Handles the frames of workers. One instance serves all streams of the process."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.checks import check_emit, check_result
from mainspring_engine.domain.circuit_answers import failure_of
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.intents import Answered, Emitted
from mainspring_engine.domain.limits import WORKER_LISTEN_S
from mainspring_engine.domain.plain import PlainAnswered
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Route, offer_of
from mainspring_engine.ports.outside import Outbox
from mainspring_engine.ports.registry import Presence
from mainspring_engine.ports.store import AttachRow, ExpiredTask, Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.configs import Configs
from mainspring_engine.usecases.emitting import EmitTicket, Unanswered, level_of
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.histories import Histories
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.registry import Workers
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import LeaseLost
from mainspring_kernel.limits import LEASE_S
from mainspring_schema.frames import (
    Acknowledgement,
    Attach,
    Attached,
    Emit,
    FromWorker,
    Held,
    Result,
    Verdict,
)
from mainspring_schema.tasks import (
    AttemptResult,
    PlainResult,
    QueryResult,
    TaskResult,
    WorkflowResult,
)

_log = logging.getLogger(__name__)
_UNREADABLE: Final = (msgspec.DecodeError, RecursionError)
"""What is nested too deeply is no more readable than what is cut off."""
_RESULT: Final[msgspec.msgpack.Decoder[AttemptResult]] = msgspec.msgpack.Decoder(AttemptResult)


class WorkerStreams:
    """Attach, frames, and the end of a stream."""

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        store: Store,
        attachments: Attachments,
        roster: Roster,
        lanes: Lanes,
        leases: Leases,
        claimer: Claimer,
        agents: Agents,
        gates: Gates,
        workers: Workers,
        holds: HoldTimes,
        queries: Queries,
        clock: Clock,
    ) -> None:
        self._store = store
        self._gates = gates
        self._attachments = attachments
        self._roster = roster
        self._lanes = lanes
        self._leases = leases
        self._claimer = claimer
        self._workers = workers
        self._holds = holds
        self._queries = queries
        self._clock = clock
        self._histories = Histories(store, self._spawn)
        self._configs = Configs(agents, self._spawn)
        self._unanswered: WeakKeyDictionary[Attachment, Unanswered] = WeakKeyDictionary()
        self._background: set[asyncio.Task[None]] = set()

    async def attach(self, attach: Attach, outbox: Outbox) -> tuple[Attachment, Attached]:
        """Takes the seat of this incarnation. Raises LeaseLost where a newer attach is known."""
        (reply,) = await self._store.attach(
            (
                AttachRow(
                    incarnation=attach.incarnation,
                    attach_number=attach.attach_number,
                    name=attach.name,
                    build=attach.build,
                    held=attach.held,
                ),
            )
        )
        if reply.refused:
            raise LeaseLost(attach.incarnation.hex, attach.attach_number)
        seat = _seat(attach)
        seat.drained = await self._workers.registered(attach)
        attachment = Attachment(attach.incarnation, attach.attach_number, outbox)
        holds = await self._store.held_by(attach.incarnation)
        newer = self._attachments.get(attach.incarnation)
        if newer is not None and newer.attach_number > attach.attach_number:
            # It came while the statements of this one waited: its seat is not to be taken back.
            raise LeaseLost(attach.incarnation.hex, attach.attach_number)
        for task in holds:
            self._attachments.hold(attachment, _brought(task))
        self._attachments.add(attachment)
        self._roster.add(seat)
        for held in reply.cancelling:
            outbox.cancelled(held)
        if reply.released:
            self._claimer.look()
        self._claimer.credits_came()
        lease_ms = round(LEASE_S * 1000)
        answer = Attached(
            lease_ms=lease_ms, lost=reply.lost, answers_beats=True, answers_drains=True
        )
        return attachment, answer

    def receive(self, attachment: Attachment, frame: FromWorker) -> None:
        """Never waits: each part goes to its queue."""
        attachment.silence.heard()
        if self._roster.spoke(attachment.incarnation):
            self._workers.tell(_presence(attachment))
        # Before the results: with its result a task is not the worker's any more.
        for progress in frame.progress:
            self._leases.reports.said(attachment, progress)
        for emit in frame.emits:
            self._emit(attachment, emit)
        self._receive_results(attachment, frame.results)
        self._receive_about_held(attachment, frame)
        if frame.configs_wanted:
            self._configs.asked(attachment, frame.configs_wanted)
        if frame.draining and not attachment.leaving:
            attachment.leaving = True
            self._roster.drain(attachment.incarnation)
            attachment.outbox.drained()
            self._workers.tell(_presence(attachment))
        if frame.credits:
            self._roster.give_back(attachment.incarnation, attachment.attach_number, frame.credits)
            self._claimer.credits_came()

    def _receive_results(self, attachment: Attachment, results: tuple[Result, ...]) -> None:
        if results:
            self._note_hold(attachment, results[0])
        for result in results:
            self._result(attachment, result)

    def _receive_about_held(self, attachment: Attachment, frame: FromWorker) -> None:
        for held in dict.fromkeys(frame.starts):
            self._leases.start(attachment, held)
        for held in frame.returned:
            # What another worker holds is not this one's to give back.
            if held in self._queries:
                self._queries.returned(held)
            elif attachment.given(held) is not None:
                self._attachments.drop(attachment, held)
                self._leases.returned(held)
        if frame.beat is not None:
            self._beat(attachment, tuple(dict.fromkeys(frame.beat.held)))
        if frame.histories_wanted:
            self._histories.asked(attachment, frame.histories_wanted)

    def _beat(self, attachment: Attachment, held: tuple[Held, ...]) -> None:
        """A query has no lease: it lasts as long as somebody waits for it."""
        if not held:
            attachment.outbox.heard()
        now_s = self._clock.mono()
        if attachment.doubted(held, now_s):
            self._spawn(self._leases.look_over(attachment, now_s - LEASE_S))
        for asked in held:
            if asked in self._queries:
                attachment.outbox.renewed(asked)
        self._leases.beat(attachment, tuple(one for one in held if one not in self._queries))

    async def room(self, attachment: Attachment) -> None:
        """Returns once the stream may be read on: others' events wait in the same lanes."""
        await self._unanswered_of(attachment).room()

    async def detach(self, attachment: Attachment) -> None:
        """The stream is gone; what it holds has a grace."""
        self._attachments.remove(attachment)
        self._roster.remove(attachment.incarnation, attachment.attach_number)
        self._workers.tell(_presence(attachment, attached=False))
        self._queries.left(attachment)
        self._spawn(self._leases.broken(attachment))

    async def listen(self) -> None:
        """Passes over the workers that fell silent, until they speak."""
        while True:
            await self._clock.sleep(WORKER_LISTEN_S)
            for attachment in self._attachments.all():
                silent = attachment.silence.passes(WORKER_LISTEN_S, holding=bool(attachment.held))
                if silent and self._roster.fell_silent(attachment.incarnation):
                    self._spawn(self._leases.fell_silent(attachment))
                    self._workers.tell(_presence(attachment, silent=True))

    async def close(self) -> None:
        """Ends what still waits in the background."""
        for task in tuple(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # ── parts of a frame ────────────────────────────────────────────────────────────────────────

    def _note_hold(self, attachment: Attachment, result: Result) -> None:
        """One of a frame is enough for a mean, and costs the same however full frames are."""
        task = attachment.held.get(result.held.task_id)
        if task is not None and task.route is not None:
            self._holds.note(task.route, self._clock.mono() - task.since_s)

    def _result(self, attachment: Attachment, result: Result) -> None:
        task = attachment.given(result.held)
        if task is None:
            attachment.outbox.result(Acknowledgement(held=result.held, verdict=Verdict.STALE))
            return
        try:
            decoded = self._read(result)
        except _UNREADABLE as error:
            _log.warning(
                "a result of %s was refused: %s", attachment.incarnation, error, extra=task.told
            )
            attachment.outbox.result(Acknowledgement(held=result.held, verdict=Verdict.INVALID))
            return
        if isinstance(decoded, QueryResult):
            attachment.outbox.result(Acknowledgement(held=result.held, verdict=Verdict.COMMITTED))
            return
        self._attachments.drop(attachment, result.held)
        if task.circuit:
            self._gates.answered(task.circuit, result.held.task_id, failure_of(decoded))
        ticket = _ResultTicket(attachment, task, self._claimer.ended)
        elsewhere = self._is_refused(attachment, task, decoded)
        self._lanes.put(_answered(task, result, decoded, elsewhere=elsewhere), ticket)

    def _is_refused(self, attachment: Attachment, task: HeldTask, result: TaskResult) -> bool:
        """Whether its code does not fit, and another worker is to be asked at once."""
        if not isinstance(result, WorkflowResult) or result.outcome != "held":
            return False
        if task.route is None:
            return False
        return self._roster.refused(task.workflow_id, attachment.incarnation, task.route)

    def _read(self, result: Result) -> AttemptResult:
        """Takes an answer to a query. Raises DecodeError for what no honest worker sends."""
        if hashlib.sha256(result.body).digest() != result.hash:
            message = "the hash does not fit the body"
            raise msgspec.ValidationError(message)
        decoded = _RESULT.decode(result.body)
        if isinstance(decoded, QueryResult) is not (result.held in self._queries):
            message = "a query is answered by an answer, and a task by its result"
            raise msgspec.ValidationError(message)
        if isinstance(decoded, QueryResult):
            self._queries.answered(result.held, decoded)
        else:
            check_result(decoded)
        return decoded

    def _emit(self, attachment: Attachment, emit: Emit) -> None:
        task = attachment.given(emit.held)
        if task is None:
            stale = Acknowledgement(held=emit.held, verdict=Verdict.STALE, counter=emit.counter)
            attachment.outbox.emit(stale)
            return
        try:
            check_emit(emit)
        except _UNREADABLE as error:
            _log.warning(
                "what %s said was refused: %s", attachment.incarnation, error, extra=task.told
            )
            invalid = Acknowledgement(held=emit.held, verdict=Verdict.INVALID, counter=emit.counter)
            attachment.outbox.emit(invalid)
            return
        intent = Emitted(session_id=task.session_id, org_id=task.org_id, emit=emit)
        self._lanes.put(intent, EmitTicket(attachment, task, emit, self._unanswered_of(attachment)))

    def _unanswered_of(self, attachment: Attachment) -> Unanswered:
        return self._unanswered.setdefault(attachment, Unanswered())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _answered(
    task: HeldTask, result: Result, decoded: TaskResult, *, elsewhere: bool
) -> Answered | PlainAnswered:
    if isinstance(decoded, PlainResult) and task.workflow_id == result.held.task_id:
        return PlainAnswered(
            held=result.held,
            hash=result.hash,
            body=result.body,
            result=decoded,
            failures=task.failures,
            traceparent=task.traceparent,
            since_s=task.since_s,
        )
    return Answered(
        session_id=task.session_id,
        org_id=task.org_id,
        held=result.held,
        hash=result.hash,
        body=result.body,
        result=decoded,
        failures=task.failures,
        elsewhere=elsewhere,
    )


def _brought(task: ExpiredTask) -> HeldTask:
    """A task that a worker brings along from a stream before."""
    return HeldTask(
        held=Held(task.task.id, task.task.fence),
        session_id=task.session_id,
        workflow_id=task.workflow_id,
        org_id=task.org_id,
        failures=task.task.failures,
    )


def _seat(attach: Attach) -> Seat:
    """Without credits: each frame brings its own, the attaching one all free slots."""
    return Seat(attach.incarnation, attach.attach_number, offer_of(attach), 0)


def _presence(attachment: Attachment, *, attached: bool = True, silent: bool = False) -> Presence:
    return Presence(
        incarnation=attachment.incarnation,
        attach_number=attachment.attach_number,
        attached=attached,
        silent=silent,
        leaving=attachment.leaving,
    )


class _ResultTicket:
    def __init__(
        self, attachment: Attachment, task: HeldTask, ended: Callable[[Route], None]
    ) -> None:
        self._attachment = attachment
        self._task = task
        self._ended = ended

    def done(self, answer: Answer) -> None:
        self._tell(answer if isinstance(answer, Verdict) else Verdict.COMMITTED)
        if self._task.route is not None:
            self._ended(self._task.route)

    def failed(self, error: Exception) -> None:
        told = self._task.told
        _log.log(level_of(error), "a result could not be committed: %s", error, extra=told)
        self._tell(Verdict.INVALID)

    def _tell(self, verdict: Verdict) -> None:
        self._attachment.outbox.result(Acknowledgement(held=self._task.held, verdict=verdict))
