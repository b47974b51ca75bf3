"""Queries of users' workflows, answered by any worker that has the code; no table is involved.

The worker replays what is recorded and calls the code's own handler. A query is no task: it has no
row and no fence that counts, and whatever becomes of it changes nothing. It borrows a slot of its
worker, because a worker that is full of waiting work has time for an answer. If no worker of this
engine has the code, an engine is asked that has such a worker.
"""

import asyncio
import math
from uuid import UUID

from mainspring_engine.domain.checks import check_value
from mainspring_engine.domain.limits import (
    QUERIES_AT_ONCE_MAX,
    QUERY_AGAIN_S,
    QUERY_ENGINES_MAX,
    QUERY_S,
)
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.going import route_of
from mainspring_engine.ports.elsewhere import Elsewhere
from mainspring_engine.ports.registry import Registry
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowRow
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.histories import input_of
from mainspring_kernel.errors import (
    Conflict,
    DeadlineExceeded,
    MainspringError,
    NotFound,
    NoWorker,
    QueryFailed,
    TooManyRequests,
    ValidationFailed,
)
from mainspring_kernel.ids import Ids
from mainspring_kernel.limits import QUERY_ARGUMENTS_BYTES_MAX
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, Task
from mainspring_schema.tasks import QueryResult, QueryTask
from mainspring_schema.workflows import QueryWorkflow


class Queries:
    """Those under way in this process, by what their workers know them by.

    `me` is this engine's replica id.
    """

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        store: Store,
        registry: Registry,
        elsewhere: Elsewhere,
        me: UUID,
        roster: Roster,
        attachments: Attachments,
        ids: Ids,
    ) -> None:
        self._registry = registry
        self._elsewhere = elsewhere
        self._me = me
        self._store = store
        self._roster = roster
        self._attachments = attachments
        self._ids = ids
        self._open: dict[Held, tuple[Attachment, asyncio.Future[bytes]]] = {}

    def __contains__(self, held: Held) -> bool:
        return bool(self._open) and held in self._open

    async def ask(self, command: QueryWorkflow) -> bytes:
        """The handler's answer, as JSON.

        Raises NotFound, Conflict of a declared workflow or where its records were removed,
        ValidationFailed for long arguments, NoWorker, QueryFailed, DeadlineExceeded,
        TooManyRequests.
        """
        if len(command.arguments) > QUERY_ARGUMENTS_BYTES_MAX:
            detail = f"the arguments have at most {QUERY_ARGUMENTS_BYTES_MAX} bytes"
            raise ValidationFailed(detail)
        row = await self._row(command)
        attachment = self._borrow(row)
        if attachment is not None:
            return await self._ask(attachment, row, command)
        for replica in await self._others(row):
            try:
                return await self._elsewhere.ask(replica, command)
            except NoWorker:
                continue  # it went away since
        raise _nobody(row)

    async def ask_here(self, command: QueryWorkflow) -> bytes:
        """For another engine: of the workers of this one. Raises what `ask` raises."""
        row = await self._row(command)
        attachment = self._borrow(row)
        if attachment is None:
            raise _nobody(row)
        return await self._ask(attachment, row, command)

    async def _row(self, command: QueryWorkflow) -> WorkflowRow:
        row = await self._store.workflows.get(command.org_id, command.workflow_id)
        if row is None:
            detail = "no such workflow"
            raise NotFound(detail)
        state = states.decode(row.workflow)
        if state.course is not None:
            detail = "a declared workflow has no code that could answer"
            raise Conflict(detail)
        if row.workflow.outcome is not Outcome.RUNNING:
            await input_of(self._store, row.workflow.id, state.generation)
        return row

    async def _others(self, row: WorkflowRow) -> tuple[UUID, ...]:
        """Engines that have a worker which knows the code."""
        route = route_of(row.queue, row.type, states.decode(row.workflow).build)
        found = await self._registry.replicas_of(
            route.queue, route.capability, build=route.build, limit=QUERY_ENGINES_MAX
        )
        return tuple(replica for replica in found if replica != self._me)

    async def _ask(self, attachment: Attachment, row: WorkflowRow, command: QueryWorkflow) -> bytes:
        held = Held(self._ids.uuid7(), 1)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[held] = (attachment, answer)
        self._push(attachment, held, row, command)
        try:
            async with asyncio.timeout(QUERY_S):
                return await answer
        except TimeoutError as error:
            detail = f"the worker did not answer the query within {QUERY_S:.0f} s"
            raise DeadlineExceeded(detail) from error
        finally:
            if self._open.pop(held, None) is not None:
                # Nobody waits any more: the worker stops, and has its slot again.
                self._attachments.ended(held)

    def _borrow(self, row: WorkflowRow) -> Attachment | None:
        if len(self._open) >= QUERIES_AT_ONCE_MAX:
            detail = "too many queries are under way"
            raise TooManyRequests(detail)
        # Code of another build than it is pinned to may not fit what is recorded.
        build = states.decode(row.workflow).build
        seat = self._roster.borrow(route_of(row.queue, row.type, build))
        return None if seat is None else self._attachments.get(seat.incarnation)

    def _push(
        self, attachment: Attachment, held: Held, row: WorkflowRow, command: QueryWorkflow
    ) -> None:
        id_ = row.workflow.id
        payload = QueryTask(
            workflow_id=id_,
            workflow_type=row.type,
            generation=states.decode(row.workflow).generation,
            name=command.name,
            arguments=command.arguments,
        )
        # No table has it, so that it is never looked for there.
        task = HeldTask(
            held=held, session_id=id_, workflow_id=id_, org_id=command.org_id, since_s=math.inf
        )
        self._attachments.hold(attachment, task)
        attachment.outbox.task(
            Task(
                held=held,
                session_id=id_,
                org_id=command.org_id,
                traceparent="",
                payload=pack(payload),
            )
        )

    # ── what workers say ────────────────────────────────────────────────────────────────────────

    def answered(self, held: Held, result: QueryResult) -> None:
        """Raises DecodeError for an answer that is no JSON."""
        check_value(result.result)
        flaw = result.flaw
        if flaw is None:
            self._settle(held, result.result)
        else:
            self._settle(held, QueryFailed(f"{flaw.code}: {flaw.message}"))

    def returned(self, held: Held) -> None:
        """The worker cannot answer: it drains, or is too old to know what a query is."""
        detail = "the worker handed the query back: it drains, or knows no queries"
        self._settle(held, NoWorker(detail, retry_after_s=QUERY_AGAIN_S))

    def left(self, attachment: Attachment) -> None:
        """Its stream is gone, and what it was asked with it."""
        for held, (asked, _) in tuple(self._open.items()):
            if asked is attachment:
                gone = "the worker went away before it answered"
                self._settle(held, NoWorker(gone, retry_after_s=QUERY_AGAIN_S))

    def _settle(self, held: Held, answer: bytes | MainspringError) -> None:
        asked = self._open.pop(held, None)
        if asked is None:
            return
        attachment, waiting = asked
        self._attachments.drop(attachment, held)
        if waiting.done():
            return
        if isinstance(answer, bytes):
            waiting.set_result(answer)
        else:
            waiting.set_exception(answer)


def _nobody(row: WorkflowRow) -> NoWorker:
    detail = f"no worker of the queue {row.queue} that knows the workflow {row.type} is attached"
    return NoWorker(detail, retry_after_s=QUERY_AGAIN_S)
