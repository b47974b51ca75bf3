"""Dead letters: listed, discarded, or requeued as new turns and new plain tasks.

A requeue is an order that is stored first, with the id of the turn or task that is to take the
letter up. Whichever engine finds it due brings it to the session's commit lane, or submits the
task. It begins once, however often it is tried. So a bulk order keeps its pace over crashes, and
nothing finished reopens.
"""

import asyncio
import logging
import math
from collections.abc import Iterable
from uuid import UUID

import msgspec

from mainspring_engine.domain import closed
from mainspring_engine.domain.answers import Answer, TakeUp
from mainspring_engine.domain.intents import Requeued
from mainspring_engine.domain.limits import (
    REQUEUE_BUSY_S,
    REQUEUE_IDLE_S,
    REQUEUE_LATE_S,
    REQUEUE_LOOK_S,
    REQUEUE_LOOKS,
    SWEEP_BATCH_ROWS_MAX,
)
from mainspring_engine.domain.turn import state as states
from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.ports.letters import Letters, Requeue, Resolve, Settled
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.histories import input_of
from mainspring_engine.usecases.lane import FutureTicket, Lanes
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_kernel.clock import Clock, sleep_unless
from mainspring_kernel.errors import Conflict, MainspringError, NotFound, StateUnreadable
from mainspring_kernel.ids import Ids
from mainspring_kernel.limits import OPERATOR_ROWS_MAX
from mainspring_kernel.passes import one_pass
from mainspring_schema.operations import (
    GetLetter,
    LetterDetails,
    LetterPage,
    LetterStatus,
    LetterView,
    ListLetters,
    Resolved,
    ResolveLetter,
    ResolveLetters,
)
from mainspring_schema.plain import RequeuePlainTask
from mainspring_schema.tasks import WorkflowTask

_log = logging.getLogger(__name__)


class DeadLetters:
    """`work` must be under way. Every method raises Unavailable where the store is away."""

    def __init__(  # noqa: PLR0913 - one named part each
        self,
        *,
        store: Store,
        letters: Letters,
        inspection: Inspection,
        lanes: Lanes,
        plain: PlainTasks,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._plain = plain
        self._letters = letters
        self._inspection = inspection
        self._lanes = lanes
        self._clock = clock
        self._ids = ids
        self._busy_until = 0.0
        self._wake = asyncio.Event()

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    async def answer(self, asked: ListLetters | GetLetter) -> LetterPage | LetterDetails:
        return await (self.get(asked) if isinstance(asked, GetLetter) else self.page(asked))

    async def page(self, asked: ListLetters) -> LetterPage:
        found = await self._letters.page(
            asked.org_id, asked.wanted, after=asked.after, limit=asked.limit + 1
        )
        page = found[: asked.limit]
        return LetterPage(letters=page, next=page[-1].task_id if len(found) > len(page) else None)

    async def get(self, asked: GetLetter) -> LetterDetails:
        """Raises NotFound."""
        letter = await self._found(asked.org_id, asked.task_id)
        task = await self._inspection.task(asked.org_id, asked.task_id)
        if task is None:
            raise NotFound
        arguments = await self._arguments(letter.workflow_id, task.payload)
        return LetterDetails(
            letter=letter, attempts=task.attempts, payload=task.payload, arguments=arguments
        )

    async def _arguments(self, workflow_id: UUID, payload: bytes) -> bytes | None:
        try:
            made = closed.read(payload)
            if not isinstance(made, WorkflowTask):
                return None
            return await input_of(self._store, workflow_id, made.generation)
        except (StateUnreadable, Conflict):
            return None  # who asks is told all else

    async def _found(self, org_id: UUID, task_id: UUID) -> LetterView:
        letter = await self._letters.letter(org_id, task_id)
        if letter is None:
            raise NotFound
        return letter

    # ── orders ──────────────────────────────────────────────────────────────────────────────────

    async def resolve(self, order: ResolveLetter) -> LetterView:
        """Raises NotFound, Conflict."""
        requeue = order.action == "requeue"
        if requeue:
            kind = (await self._found(order.org_id, order.task_id)).kind
            if kind in _NOT_REQUEUED:
                raise Conflict(_NOT_REQUEUED[kind])
        resolution = Resolve(
            org_id=order.org_id,
            task_id=order.task_id,
            workflow_id=self._ids.uuid7() if requeue else None,
        )
        (taken,) = await self._letters.resolve((resolution,))
        if not taken:
            letter = await self._found(order.org_id, order.task_id)
            detail = f"the dead letter was dealt with before: it is {letter.status}"
            raise Conflict(detail)
        if requeue:
            await self._take_up(await self._named(order.task_id))
        letter = await self._found(order.org_id, order.task_id)
        if letter.refusal is not None:
            raise Conflict(_WHY[letter.refusal])
        return letter

    async def resolve_many(self, order: ResolveLetters) -> Resolved:
        fit = await self._fitting(order)
        letters, more = fit[: order.limit], len(fit) > order.limit
        resolutions = [self._planned(order, letter, n) for n, letter in enumerate(letters)]
        taken = [True] * len(letters)
        if not order.rehearsal:
            taken = list(await self._letters.resolve(tuple(resolutions)))
        done = [one for one, is_taken in zip(resolutions, taken, strict=True) if is_taken]
        last_ms = done[-1].delay_ms if done and order.action == "requeue" else None
        if last_ms is not None and not order.rehearsal:
            self._expect(last_ms)
        return Resolved(
            matched=len(letters),
            taken=0 if order.rehearsal else len(done),
            more=more,
            last_due_ms=None if last_ms is None else self._clock.wall_ms() + last_ms,
            task_ids=tuple(one.task_id for one in done[:OPERATOR_ROWS_MAX]),
        )

    async def _fitting(self, order: ResolveLetters) -> list[LetterView]:
        """Newest first, and one more than are wanted. A discard takes refused requeues along."""
        requeue = order.action == "requeue"
        statuses: tuple[LetterStatus, ...] = ("open",) if requeue else ("open", "refused")
        but = tuple(_NOT_REQUEUED) if requeue else ()
        found: dict[UUID, LetterView] = {}
        for status in statuses:
            wanted = msgspec.structs.replace(order.wanted, status=status)
            page = await self._letters.page(
                order.org_id, wanted, after=None, limit=order.limit + 1, but=but
            )
            found |= {letter.task_id: letter for letter in page}
        return [found[task_id] for task_id in sorted(found, reverse=True)[: order.limit + 1]]

    def _planned(self, order: ResolveLetters, letter: LetterView, place: int) -> Resolve:
        if order.action == "discard":
            return Resolve(org_id=order.org_id, task_id=letter.task_id)
        return Resolve(
            org_id=order.org_id,
            task_id=letter.task_id,
            workflow_id=self._ids.uuid7(),
            delay_ms=round(place * 1000 / order.rate_per_s),
        )

    async def _named(self, task_id: UUID) -> tuple[Requeue, ...]:
        """An order just stored. Whoever gives the same one at once holds its row for a moment."""
        for _ in range(REQUEUE_LOOKS):
            if found := await self._letters.due((task_id,), 1):
                return found
            await self._clock.sleep(REQUEUE_LOOK_S)
        self._expect(0)
        return ()

    # ── taking up ───────────────────────────────────────────────────────────────────────────────

    def _expect(self, last_ms: int) -> None:
        """Looks often until this is over."""
        self._busy_for(last_ms / 1000)
        self._wake.set()

    def _busy_for(self, seconds: float) -> None:
        self._busy_until = max(self._busy_until, self._clock.mono() + seconds)

    async def work(self) -> None:
        """Finds what is due: this engine's orders in time, those of one that died a bit later.

        What nobody looked after for a while, with the store or all engines away, keeps its rate.
        """
        looked_at = -math.inf
        while True:
            self._wake.clear()
            with one_pass(_log, "what is requeued"):
                if self._clock.mono() - looked_at >= REQUEUE_LATE_S:
                    await self._letters.keep_pace()
                looked_at = self._clock.mono()
                found = await self._letters.due(None, SWEEP_BATCH_ROWS_MAX)
                if found:  # of an engine that died, say: others of its order follow
                    self._busy_for(REQUEUE_IDLE_S)
                await self._take_up(found)
            busy = self._clock.mono() < self._busy_until
            pause_s = REQUEUE_BUSY_S if busy else REQUEUE_IDLE_S
            await sleep_unless(self._clock, pause_s, self._wake)

    async def _take_up(self, requeues: tuple[Requeue, ...]) -> None:
        """What is not settled here is due again a little later."""
        settled = [Settled(task_id=one.task_id) for one in requeues if one.taken_up]
        fresh = [one for one in requeues if not one.taken_up]
        settled += [Settled(task_id=one.task_id) for one in fresh if await self._submitted(one)]
        for requeue, ticket in self._put(one for one in fresh if not one.of_plain):
            try:
                answer = await ticket.future
            except NotFound:
                settled.append(Settled(task_id=requeue.task_id, refusal="session_gone"))
            except MainspringError as error:
                _log.warning("a requeue was not taken up: %s", error)
            else:
                settled.append(_settled(requeue, answer))
        if settled:
            await self._letters.settle(tuple(settled))

    def _put(self, requeues: Iterable[Requeue]) -> list[tuple[Requeue, FutureTicket]]:
        """Into the lanes of their sessions. One that cannot be read here holds up no other."""
        put: list[tuple[Requeue, FutureTicket]] = []
        for requeue in requeues:
            try:
                intent = _intent(requeue)
            except StateUnreadable as error:
                _log.warning("a requeue waits for an engine that can read it: %s", error)
                continue
            put.append((requeue, ticket := FutureTicket()))
            self._lanes.put(intent, ticket)
        return put

    async def _submitted(self, requeue: Requeue) -> bool:
        """Whether a plain task takes the letter up now."""
        if not requeue.of_plain:
            return False
        order = RequeuePlainTask(
            org_id=requeue.org_id, task_id=requeue.task_id, new_id=requeue.workflow_id
        )
        try:
            await self._plain.take_up(order)
        except MainspringError as error:
            _log.warning("a requeue was not taken up: %s", error)
            return False
        return True


_WHY = {
    "superseded": "the conversation has gone on since: send the message again",
    "session_gone": "the session was deleted",
}


_NOT_REQUEUED = {
    "workflow": "a workflow is not requeued: fork it, which keeps the steps that have finished",
    "step": "a declared step is not requeued: its workflow has failed with it; fork that",
}


def _settled(requeue: Requeue, answer: Answer) -> Settled:
    superseded = answer is TakeUp.SUPERSEDED
    return Settled(task_id=requeue.task_id, refusal="superseded" if superseded else None)


def _intent(requeue: Requeue) -> Requeued:
    return Requeued(
        session_id=requeue.session_id,
        org_id=requeue.org_id,
        task_id=requeue.task_id,
        workflow_id=requeue.workflow_id,
        dead_workflow_id=requeue.dead_workflow_id,
        input_message_id=states.read(requeue.state).input_message_id,
        config_hash=requeue.config_hash,
        controls=requeue.controls,
    )
