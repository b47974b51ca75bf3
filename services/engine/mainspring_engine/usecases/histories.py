"""What a worker is told of a workflow's recorded steps."""

import logging
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.checks import check_wanted
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import RecordedPage
from mainspring_engine.usecases.attachments import Attachment
from mainspring_kernel.errors import Conflict, Unavailable
from mainspring_schema.frames import History, HistoryWanted
from mainspring_schema.workflows import INPUT_STEP, StepRecord, prefix_of

_log = logging.getLogger(__name__)
_STEP: Final = msgspec.msgpack.Decoder(StepRecord)


class Histories:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, attachment: Attachment, wanted: HistoryWanted) -> None:
        """One page to who holds the workflow. While the store is away nothing comes: ask again.

        Whoever gets none for another reason has lost the task: he would ask for ever, and his beats
        would keep others from it.
        """
        task = attachment.given(wanted.held)
        if task is None:
            attachment.outbox.lost(wanted.held)
            return
        try:
            check_wanted(wanted)
            page = await self._page(task.workflow_id, wanted)
            steps = tuple(_STEP.decode(body) for body in page.bodies)
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
    return _STEP.decode(found[0]).result
