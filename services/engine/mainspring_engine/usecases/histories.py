"""Sends workers the recorded steps of a workflow."""

import logging
from collections.abc import Callable, Coroutine
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec

from mainspring_engine.domain.checks import check_wanted
from mainspring_engine.domain.limits import HISTORY_PAGES_UNREAD_MAX, HISTORY_READS_MAX
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import RecordedPage
from mainspring_engine.usecases.attachments import Attachment
from mainspring_kernel.errors import Conflict, Unavailable
from mainspring_schema.frames import Held, History, HistoryWanted
from mainspring_schema.workflows import INPUT_STEP, prefix_of, read_record

_log = logging.getLogger(__name__)


class _Questions:
    """What one stream asks: of each attempt one is being read, and the newest behind it waits."""

    def __init__(self) -> None:
        self._waiting: dict[Held, HistoryWanted] = {}
        self._reading: dict[Held, HistoryWanted] = {}

    def put(self, wanted: HistoryWanted) -> None:
        """A repeat of what is being read gets that answer."""
        if self._reading.get(wanted.held) == wanted:
            self._waiting.pop(wanted.held, None)
        else:
            self._waiting[wanted.held] = wanted

    def begin(self) -> HistoryWanted | None:
        if len(self._reading) >= HISTORY_READS_MAX:
            return None
        held = next((held for held in self._waiting if held not in self._reading), None)
        if held is None:
            return None
        self._reading[held] = wanted = self._waiting.pop(held)
        return wanted

    def end(self, wanted: HistoryWanted) -> None:
        del self._reading[wanted.held]


class Histories:
    """`spawn` has a read go on by itself."""

    def __init__(self, store: Store, spawn: Callable[[Coroutine[None, None, None]], None]) -> None:
        self._store = store
        self._spawn = spawn
        self._questions: WeakKeyDictionary[Attachment, _Questions] = WeakKeyDictionary()

    def asked(self, attachment: Attachment, wanted: tuple[HistoryWanted, ...]) -> None:
        """Answers by and by. A worker that hears nothing asks again."""
        questions = self._questions.setdefault(attachment, _Questions())
        lost: dict[Held, None] = {}
        for one in wanted:
            if attachment.given(one.held) is None:
                lost[one.held] = None
            else:
                questions.put(one)
        for held in lost:
            attachment.outbox.lost(held)
        self._go_on(attachment, questions)

    def _go_on(self, attachment: Attachment, questions: _Questions) -> None:
        while attachment.outbox.pages_unread() < HISTORY_PAGES_UNREAD_MAX:
            wanted = questions.begin()
            if wanted is None:
                return
            self._spawn(self._read(attachment, questions, wanted))

    async def _read(
        self, attachment: Attachment, questions: _Questions, wanted: HistoryWanted
    ) -> None:
        try:
            await self.send(attachment, wanted)
        finally:
            questions.end(wanted)
        self._go_on(attachment, questions)

    async def send(self, attachment: Attachment, wanted: HistoryWanted) -> None:
        """One page to the worker that holds the workflow. While the store is away none comes.

        Then the worker asks again. One that gets none for another reason has lost the task: it
        would ask for ever, and its beats would keep others from it.
        """
        task = attachment.given(wanted.held)
        if task is None:
            attachment.outbox.lost(wanted.held)
            return
        try:
            check_wanted(wanted)
            page = await self._page(task.workflow_id, wanted)
            steps = tuple(read_record(body) for body in page.bodies)
        except msgspec.MsgspecError as error:
            _log.warning("a history was refused to %s: %s", attachment.incarnation, error)
            attachment.outbox.lost(wanted.held)
            return
        except Unavailable as error:
            _log.warning("a history waits: %s", error)
            return
        attachment.outbox.history(
            History(
                held=wanted.held,
                steps=steps,
                after=wanted.after,
                more=page.more,
                at_places=bool(wanted.places),
            )
        )

    async def _page(self, workflow_id: UUID, wanted: HistoryWanted) -> RecordedPage:
        rows = self._store.workflows
        if wanted.places:
            return await rows.recorded_at(workflow_id, wanted.places)
        return await rows.recorded(workflow_id, after=wanted.after)


async def input_of(store: Store, workflow_id: UUID, generation: int) -> bytes:
    """What the code of a generation began with.

    It goes first where records are removed. Raises Conflict where that was done.
    """
    place = prefix_of(generation) + INPUT_STEP
    found = (await store.workflows.recorded_at(workflow_id, (place,))).bodies
    if not found:
        detail = "its records were removed: they are kept only so long"
        raise Conflict(detail)
    return read_record(found[0]).result
