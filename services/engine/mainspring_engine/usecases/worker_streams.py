"""What a worker's frames mean. One instance serves all streams of the process."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from typing import Final

import msgspec

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.checks import check_emit, check_result
from mainspring_engine.domain.circuit_answers import failure_of
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.intents import Answered, Emitted
from mainspring_engine.domain.plain import PlainAnswered
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Route, offer_of
from mainspring_engine.ports.outside import Outbox
from mainspring_engine.ports.registry import Presence
from mainspring_engine.ports.store import Attachment, ExpiredTask, Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.histories import Histories
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.links import HeldTask, Link, Links
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.registry import Workers
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import LeaseLost, Unavailable, ValidationFailed
from mainspring_kernel.limits import LEASE_S, WORKER_LISTEN_S
from mainspring_schema.frames import (
    Acknowledgement,
    Attach,
    Attached,
    Config,
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
        links: Links,
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
        self._links = links
        self._roster = roster
        self._lanes = lanes
        self._leases = leases
        self._claimer = claimer
        self._agents = agents
        self._workers = workers
        self._holds = holds
        self._queries = queries
        self._clock = clock
        self._histories = Histories(store)
        self._background: set[asyncio.Task[None]] = set()

    async def attach(self, attach: Attach, outbox: Outbox) -> tuple[Link, Attached]:
        """Takes the seat of this incarnation. Raises LeaseLost where a newer attach is known."""
        (reply,) = await self._store.attach(
            (
                Attachment(
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
        link = Link(attach.incarnation, attach.attach_number, outbox)
        holds = await self._store.held_by(attach.incarnation)
        newer = self._links.get(attach.incarnation)
        if newer is not None and newer.attach_number > attach.attach_number:
            # It came while the statements of this one waited: its seat is not to be taken back.
            raise LeaseLost(attach.incarnation.hex, attach.attach_number)
        for task in holds:
            self._links.hold(link, _brought(task))
        self._links.add(link)
        self._roster.add(seat)
        for held in reply.cancelling:
            outbox.cancelled(held)
        if reply.released:
            self._claimer.look()
        self._claimer.credits_came()
        lease_ms = round(LEASE_S * 1000)
        return link, Attached(lease_ms=lease_ms, lost=reply.lost, answers_beats=True)

    def receive(self, link: Link, frame: FromWorker) -> None:
        """Never waits: each part goes to its queue."""
        link.silence.heard()
        if self._roster.mute(link.incarnation, deaf=False):
            self._workers.tell(_presence(link))
        # Before the results: with its result a task is not the worker's any more.
        for progress in frame.progress:
            self._leases.reports.said(link, progress)
        for emit in frame.emits:
            self._emit(link, emit)
        self._receive_results(link, frame.results)
        self._receive_about_held(link, frame)
        if frame.configs_wanted:
            self._spawn(self._send_configs(link, frame.configs_wanted))
        if frame.draining and not link.leaving:
            link.leaving = True
            self._roster.drain(link.incarnation)
            self._workers.tell(_presence(link))
        if frame.credits:
            self._roster.give_back(link.incarnation, link.attach_number, frame.credits)
            self._claimer.credits_came()

    def _receive_results(self, link: Link, results: tuple[Result, ...]) -> None:
        if results:
            self._note_hold(link, results[0])
        for result in results:
            self._result(link, result)

    def _receive_about_held(self, link: Link, frame: FromWorker) -> None:
        for held in frame.starts:
            self._leases.start(link, held)
        for held in frame.returned:
            # What another one holds is not his to give back.
            if held in self._queries:
                self._queries.returned(held)
            elif link.given(held) is not None:
                self._links.drop(link, held)
                self._leases.returned(held)
        if frame.beat is not None:
            self._beat(link, frame.beat.held)
        for wanted in frame.histories_wanted:
            self._spawn(self._histories.send(link, wanted))

    def _beat(self, link: Link, held: tuple[Held, ...]) -> None:
        """A query has no lease: it lasts as long as somebody waits for it."""
        if not held:
            link.outbox.heard()
        now_s = self._clock.mono()
        if link.doubted(held, now_s):
            self._spawn(self._leases.look_over(link, now_s - LEASE_S))
        for asked in held:
            if asked in self._queries:
                link.outbox.renewed(asked)
        self._leases.beat(link, tuple(one for one in held if one not in self._queries))

    async def detach(self, link: Link) -> None:
        """The stream is gone; what it holds has a grace."""
        self._links.remove(link)
        self._roster.remove(link.incarnation, link.attach_number)
        self._workers.tell(_presence(link, attached=False))
        self._queries.left(link)
        self._spawn(self._leases.broken(link))

    async def listen(self) -> None:
        """Passes over the workers that fell silent, until they speak."""
        while True:
            await self._clock.sleep(WORKER_LISTEN_S)
            for link in self._links.all():
                silent = link.silence.passes(WORKER_LISTEN_S, holding=bool(link.held))
                if silent and self._roster.mute(link.incarnation, deaf=True):
                    self._spawn(self._leases.fell_silent(link))
                    self._workers.tell(_presence(link, silent=True))

    async def close(self) -> None:
        """Ends what still waits in the background."""
        for task in tuple(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # ── parts of a frame ────────────────────────────────────────────────────────────────────────

    def _note_hold(self, link: Link, result: Result) -> None:
        """One of a frame is enough for a mean, and costs the same however full frames are."""
        task = link.held.get(result.held.task_id)
        if task is not None and task.route is not None:
            self._holds.note(task.route, self._clock.mono() - task.since_s)

    def _result(self, link: Link, result: Result) -> None:
        task = link.given(result.held)
        if task is None:
            link.outbox.result(Acknowledgement(held=result.held, verdict=Verdict.STALE))
            return
        try:
            decoded = self._read(result)
        except _UNREADABLE as error:
            _log.warning("a result of %s was refused: %s", link.incarnation, error, extra=task.told)
            link.outbox.result(Acknowledgement(held=result.held, verdict=Verdict.INVALID))
            return
        if isinstance(decoded, QueryResult):
            link.outbox.result(Acknowledgement(held=result.held, verdict=Verdict.COMMITTED))
            return
        self._links.drop(link, result.held)
        if task.circuit:
            self._gates.answered(task.circuit, result.held.task_id, failure_of(decoded))
        ticket = _ResultTicket(link, task, self._claimer.ended)
        self._lanes.put(_answered(task, result, decoded), ticket)

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

    def _emit(self, link: Link, emit: Emit) -> None:
        task = link.given(emit.held)
        if task is None:
            stale = Acknowledgement(held=emit.held, verdict=Verdict.STALE, counter=emit.counter)
            link.outbox.emit(stale)
            return
        try:
            check_emit(emit)
        except _UNREADABLE as error:
            _log.warning("what %s said was refused: %s", link.incarnation, error, extra=task.told)
            invalid = Acknowledgement(held=emit.held, verdict=Verdict.INVALID, counter=emit.counter)
            link.outbox.emit(invalid)
            return
        intent = Emitted(session_id=task.session_id, org_id=task.org_id, emit=emit)
        self._lanes.put(intent, _EmitTicket(link, task, emit))

    async def _send_configs(self, link: Link, hashes: tuple[bytes, ...]) -> None:
        try:
            bodies = await self._agents.bodies(hashes)
        except Unavailable as error:
            _log.warning("configurations wait: %s", error)
            return
        for config_hash, body in bodies.items():
            link.configs.add(config_hash)
            link.outbox.config(Config(hash=config_hash, body=body))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _answered(task: HeldTask, result: Result, decoded: TaskResult) -> Answered | PlainAnswered:
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


def _presence(link: Link, *, attached: bool = True, silent: bool = False) -> Presence:
    return Presence(
        incarnation=link.incarnation,
        attach_number=link.attach_number,
        attached=attached,
        silent=silent,
        leaving=link.leaving,
    )


def _level_of(error: Exception) -> int:
    """What no honest worker says is no fault of ours."""
    return logging.WARNING if isinstance(error, ValidationFailed) else logging.ERROR


class _ResultTicket:
    def __init__(self, link: Link, task: HeldTask, ended: Callable[[Route], None]) -> None:
        self._link = link
        self._task = task
        self._ended = ended

    def done(self, answer: Answer) -> None:
        self._tell(answer if isinstance(answer, Verdict) else Verdict.COMMITTED)
        if self._task.route is not None:
            self._ended(self._task.route)

    def failed(self, error: Exception) -> None:
        told = self._task.told
        _log.log(_level_of(error), "a result could not be committed: %s", error, extra=told)
        self._tell(Verdict.INVALID)

    def _tell(self, verdict: Verdict) -> None:
        self._link.outbox.result(Acknowledgement(held=self._task.held, verdict=verdict))


class _EmitTicket:
    def __init__(self, link: Link, task: HeldTask, emit: Emit) -> None:
        self._link = link
        self._task = task
        self._emit = emit

    def done(self, answer: Answer) -> None:
        verdict = answer if isinstance(answer, Verdict) else Verdict.COMMITTED
        self._send(verdict)

    def failed(self, error: Exception) -> None:
        told = self._task.told
        _log.log(_level_of(error), "events could not be committed: %s", error, extra=told)
        self._send(Verdict.INVALID)

    def _send(self, verdict: Verdict) -> None:
        self._link.outbox.emit(
            Acknowledgement(held=self._emit.held, verdict=verdict, counter=self._emit.counter)
        )
