"""One flight: decide each session's entries, commit them together, settle, repeat for the rest."""

import logging
from typing import NamedTuple
from uuid import UUID

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.intents import (
    Answered,
    Emitted,
    Intent,
    SignalCame,
    Submitted,
    TimerDue,
    WorkflowSignalled,
    WorkflowStarted,
    org_of,
    session_of,
)
from mainspring_engine.domain.limits import COMMIT_FLIGHTS_MAX, COMMIT_ROUNDS_MAX
from mainspring_engine.domain.materials import (
    AgentMissing,
    BudgetsMissing,
    ChartMissing,
    Materials,
    Missing,
    NotYet,
    SignalMissing,
    StepMissing,
    TasksMissing,
    WaitingMissing,
)
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Waiting
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.domain.turn.spending import Bounds
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.waiting import TIMER_WAIT
from mainspring_engine.ports.store import Committed, Step, Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.assignment import Assignment
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.dating import is_too_late
from mainspring_engine.usecases.lane import Entry
from mainspring_engine.usecases.repeats import answer_known, emit_verdict, settled_workflow
from mainspring_engine.usecases.sessions import Remembered, Sessions
from mainspring_engine.usecases.time import DatabaseTime
from mainspring_kernel.errors import (
    ConfigurationUnknown,
    MainspringError,
    NotFound,
    Unavailable,
)
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.frames import Verdict

_log = logging.getLogger(__name__)


class Decided(NamedTuple):
    """One session's item with what its entries will be told."""

    entries: list[Entry]
    answers: list[Answer]
    plan: Plan
    changes: Changes
    took_ms: int


class SessionFlights:
    """The engine's `Flights`. `materials` is copied per flight: steps and tasks age at once."""

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        store: Store,
        sessions: Sessions,
        agents: Agents,
        assignment: Assignment,
        time: DatabaseTime,
        materials: Materials,
        courses: Courses,
        tallies: Tallies,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._agents = agents
        self._assignment = assignment
        self._time = time
        self._materials = materials
        self._courses = courses
        self._tallies = tallies

    async def fly(self, entries: list[Entry]) -> None:
        """Leaves those in the list whose sessions another engine keeps moving: they fly again.

        Raises Unavailable with all unsettled entries still in the list.
        """
        materials = Materials(
            agents=self._agents,
            ids=self._materials.ids,
            draws=self._materials.draws,
            trace_ratio=self._materials.trace_ratio,
            budgeted=self._materials.budgeted,
            recall=self._courses,
        )
        fruitless, present = 0, set[UUID]()
        while entries and fruitless < COMMIT_ROUNDS_MAX:
            waiting = len(entries)
            await self._load(entries, materials, present)
            decided = [
                item
                for group in _by_session(entries)
                if (item := await self._decide(group, entries, materials, present)) is not None
            ]
            if decided:
                await self._commit(decided, entries)
            materials.age()
            fruitless = fruitless + 1 if len(entries) == waiting else 0
        for entry in list(entries):
            entry.conflicts += 1
            if entry.conflicts >= COMMIT_FLIGHTS_MAX:
                detail = "too many conflicts on this session"
                entry.ticket.failed(Unavailable(detail))
                _drop(entries, entry)

    async def _load(self, entries: list[Entry], materials: Materials, present: set[UUID]) -> None:
        """What many entries need is read at once; the rest where it turns out missing.

        `present` gets the sessions of which nothing older than this flight is remembered.
        """
        present |= await self._load_views(entries)
        waited = {
            session_of(entry.intent)
            for entry in entries
            if isinstance(entry.intent, SignalCame)
            or (isinstance(entry.intent, TimerDue) and entry.intent.kind == TIMER_WAIT)
        }
        if waited:
            found = await self._store.workflows.waiting(tuple(waited))
            materials.waiting.update({id_: found.get(id_, Waiting()) for id_ in waited})

    async def _load_views(self, entries: list[Entry]) -> set[UUID]:
        missing = {
            session_id
            for entry in entries
            if not isinstance(entry.intent, WorkflowStarted)
            and self._sessions.get(session_id := session_of(entry.intent)) is None
        }
        if missing:
            for session_id, view in (await self._store.load(tuple(missing))).items():
                self._sessions.put(session_id, view)
        return missing

    async def _decide(
        self, group: list[Entry], entries: list[Entry], materials: Materials, present: set[UUID]
    ) -> Decided | None:
        """None where nothing is to be written. Refused entries are told and leave `entries`.

        What a commit would write is compared there; what writes nothing, or is refused, is decided
        of the present: another engine may have moved on from what this one remembers.
        """
        while group:
            try:
                decided = await self._tried(group, materials)
            except _Refused as refused:
                if not await self._recalled(group, present):
                    group = _refuse(group, entries, refused)
                continue
            if not decided.changes.is_empty:
                return decided
            if not await self._recalled(group, present):
                for entry, answer in zip(decided.entries, decided.answers, strict=True):
                    entry.ticket.done(answer)
                    _drop(entries, entry)
                return None
        return None

    async def _tried(self, group: list[Entry], materials: Materials) -> Decided:
        """Decides until nothing is missing."""
        while True:
            try:
                return self._try(group, materials)
            except _Lacking as lacking:
                try:
                    await self._fetch(lacking.missing, materials)
                except ConfigurationUnknown as error:
                    raise _Refused(lacking.entry, error) from error

    async def _recalled(self, group: list[Entry], present: set[UUID]) -> bool:
        """Whether what was remembered is from before this flight; then it is read anew."""
        session_id = session_of(group[0].intent)
        if session_id in present:
            return False
        self._sessions.forget(session_id)
        present |= await self._load_views(group)
        present.add(session_id)
        return True

    async def _fetch(self, missing: Missing, materials: Materials) -> None:
        match missing:
            case AgentMissing():
                await self._agents.load(missing.config_hash)
            case ChartMissing():
                await self._courses.load(missing.digest)
            case StepMissing(workflow_id=id_, steps=steps):
                wanted = tuple(Step(workflow_id=id_, step=step) for step in steps)
                kept = await self._store.steps(wanted)
                materials.steps.update(kept)
                materials.unrecorded |= {(id_, step) for step in steps} - kept.keys()
            case TasksMissing():
                materials.tasks.update(await self._store.open_tasks((missing.workflow_id,)))
                materials.tasks.setdefault(missing.workflow_id, ())
            case WaitingMissing() | SignalMissing():
                await self._fetch_waiting(missing, materials)
            case BudgetsMissing(subjects=subjects):
                (org_id,) = [one.id for one in subjects if one.type == "organization"]
                found = await self._store.budgets.over(org_id, subjects)
                materials.budgets[subjects] = Bounds(budgets=found)
            case _:
                raise missing

    async def _fetch_waiting(
        self, missing: WaitingMissing | SignalMissing, materials: Materials
    ) -> None:
        rows = self._store.workflows
        if isinstance(missing, WaitingMissing):
            found = await rows.waiting((missing.workflow_id,))
            materials.waiting[missing.workflow_id] = found.get(missing.workflow_id, Waiting())
            return
        # What is gone again lay there at another moment: no commit fits what is decided of it.
        gone = {(missing.source, missing.kind): b"null"}
        said = gone | await rows.said(missing.session_id, materials.unread(missing))
        materials.said.update({(missing.session_id, *key): body for key, body in said.items()})

    def _try(self, group: list[Entry], materials: Materials) -> Decided:
        remembered = self._sessions.get(session_of(group[0].intent))
        plan: Plan | None = None
        answers: list[Answer] = []
        began_ms = self._time.now_ms()
        for entry in group:
            try:
                if plan is None:
                    now_ms = began_ms + max(one.ahead_ms for one in group)
                    plan = _plan(remembered, entry.intent, now_ms=now_ms)
                _check_org(plan, entry.intent)
                self._agents.learn(entry.intent)
                answers.append(decide(plan, entry.intent, materials))
            except NotYet:
                # It and what comes after it ride the next round, when its tasks are rows.
                break
            except Missing as missing:
                raise _Lacking(entry, missing) from missing
            except MainspringError as error:
                raise _Refused(entry, error) from error
            except Exception as error:
                # A fault of ours, met by this one: the others aboard are none the worse for it.
                told = to_wire(Prefix.SESSION, session_of(entry.intent))
                _log.exception("a decision failed", extra={"session": told})
                raise _Refused(entry, MainspringError(repr(error))) from error
        assert plan is not None  # noqa: S101 - a group has entries
        changes = plan.changes()
        took_ms = self._time.now_ms() - began_ms
        return Decided(group[: len(answers)], answers, plan, changes, took_ms)

    async def _commit(self, decided: list[Decided], entries: list[Entry]) -> None:
        assigned = [
            item._replace(changes=self._assignment.assign(item.changes)) for item in decided
        ]
        try:
            replies = await self._store.commit(tuple(item.changes for item in assigned))
        except BaseException:
            for item in assigned:
                self._assignment.undo(item.changes, unheard=True)
                self._sessions.forget(item.plan.head.session_id)
            raise
        for item, reply in zip(assigned, replies, strict=True):
            self._time.learn(reply.now_ms)
            if reply.verdict is Verdict.COMMITTED:
                self._settle(item, reply, entries)
            else:
                self._assignment.undo(item.changes)
                self._redecide(item, reply, entries)

    def _settle(self, item: Decided, reply: Committed, entries: list[Entry]) -> None:
        session_id = item.plan.head.session_id
        events = item.plan.stored_events(reply.deltas_before)
        view = item.plan.view()
        # Only turns are told of a session's newest events with their next task.
        turns = view.workflow is None or view.workflow.is_turn
        self._sessions.advance(session_id, item.changes.expected, view, events if turns else ())
        for entry, answer in zip(item.entries, item.answers, strict=True):
            entry.ticket.done(answer)
            _drop(entries, entry)
        self._courses.committed(item.changes)
        self._assignment.committed(item.changes, reply, events)

    def _redecide(self, item: Decided, reply: Committed, entries: list[Entry]) -> None:
        """Nothing was written: tell those who cannot succeed, and go on with the present."""
        session_id = item.plan.head.session_id
        self._tallies.conflicts += reply.verdict is Verdict.CONFLICT
        if reply.view is not None:
            self._sessions.put(session_id, reply.view)
        elif reply.verdict is not Verdict.INVALID:
            self._sessions.forget(session_id)
        for entry in list(item.entries):
            if self._settled_by(entry, item, reply) or is_too_late(entry, item.took_ms):
                _drop(entries, entry)

    def _settled_by(self, entry: Entry, item: Decided, reply: Committed) -> bool:
        intent = entry.intent
        if reply.verdict is Verdict.INVALID:
            entry.ticket.failed(MainspringError(reply.problem))
            return True
        if isinstance(intent, WorkflowStarted | WorkflowSignalled | SignalCame):
            return settled_workflow(entry, intent, item.changes, reply)
        if isinstance(intent, Submitted):
            known = reply.known.get(intent.command.message_id)
            if known is not None:
                answer_known(entry, intent.command, known)
            return known is not None
        if isinstance(intent, Answered):
            verdict = next(
                (c.verdict for c in reply.closes if c.held == intent.held), Verdict.COMMITTED
            )
        elif isinstance(intent, Emitted):
            verdict = emit_verdict(intent, item.changes, reply)
        else:
            return False
        if verdict in (Verdict.STALE, Verdict.DUPLICATE):
            entry.ticket.done(verdict)
            return True
        return False


def _plan(remembered: Remembered | None, intent: Intent, *, now_ms: int) -> Plan:
    org_id = org_of(intent)
    if isinstance(intent, WorkflowStarted):
        return Plan.opening(session_of(intent), org_id=org_id, now_ms=now_ms)
    if remembered is None:
        if isinstance(intent, SignalCame) and intent.kind == children.START:
            return Plan.opening(intent.session_id, org_id=org_id, now_ms=now_ms)
        raise NotFound
    return Plan(remembered.view, org_id=org_id, now_ms=now_ms)


def _check_org(plan: Plan, intent: Intent) -> None:
    if plan.head.org_id != org_of(intent):
        raise NotFound


class _Refused(Exception):
    def __init__(self, entry: Entry, error: MainspringError) -> None:
        super().__init__(str(error))
        self.entry = entry
        self.error = error


class _Lacking(Exception):
    def __init__(self, entry: Entry, missing: Missing) -> None:
        super().__init__(str(missing))
        self.entry = entry
        self.missing = missing


def _refuse(group: list[Entry], entries: list[Entry], refused: _Refused) -> list[Entry]:
    """Tells the one who cannot succeed; the others of the session are decided again without it."""
    if isinstance(refused.error, NotFound) and isinstance(
        refused.entry.intent, Answered | Emitted | SignalCame
    ):
        # The session was deleted meanwhile: a late result is late, not wrong.
        refused.entry.ticket.done(Verdict.STALE)
    else:
        refused.entry.ticket.failed(refused.error)
    _drop(entries, refused.entry)
    return [entry for entry in group if entry is not refused.entry]


def _by_session(entries: list[Entry]) -> list[list[Entry]]:
    groups: dict[UUID, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(session_of(entry.intent), []).append(entry)
    return list(groups.values())


def _drop(entries: list[Entry], entry: Entry) -> None:
    for index, other in enumerate(entries):
        if other is entry:
            del entries[index]
            return
