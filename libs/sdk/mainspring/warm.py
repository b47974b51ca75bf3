"""Goes at rest, kept where their code waits: the next go of such a workflow goes on from there.

So what waits a thousand times is not replayed a thousand times. It saves time and nothing else:
what is recorded is the truth, and a worker that keeps nothing replays it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Final, NamedTuple
from uuid import UUID

from mainspring.going import Go
from mainspring.limits import WARM_GOES_DEFAULT, WARM_PLACES_MAX
from mainspring_schema.tasks import WorkflowResult, WorkflowTask

FIRST: Final = 1
"""The fence of a task's first attempt: each claim raises it."""


class _Resting(NamedTuple):
    """`next` and `fence` are `go` and `rested` of the task that may go on from here."""

    next: int
    fence: int
    go: Go
    places: tuple[str, ...]
    weight: int
    """Of its places that it has passed."""


class Warm:
    """Bounded, least recently used first out. Lives on the loop of the user's code."""

    def __init__(
        self, goes_max: int = WARM_GOES_DEFAULT, places_max: int = WARM_PLACES_MAX
    ) -> None:
        self._goes_max = goes_max
        self._places_max = places_max
        self._places = 0
        self._resting: dict[UUID, _Resting] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def places(self, task: WorkflowTask, fence: int = FIRST) -> tuple[str, ...] | None:
        """Where the workflow waits, if it can go on from here; may be asked on any thread.

        `fence` is the attempt's: what came before a later one may have recorded steps elsewhere,
        and died.
        """
        kept = self._resting.get(task.workflow_id)
        fits = kept is not None and fence == FIRST and _fits(kept, task)
        return kept.places if kept is not None and fits else None

    def take(self, task: WorkflowTask) -> Go | None:
        """The one that the task goes on with; it is not kept any more."""
        if self.places(task) is None:
            return None
        go = self._pop(task.workflow_id)
        if go.rests:
            return go
        self._leave(go)
        return None

    async def through(
        self,
        task: WorkflowTask,
        fence: int,
        go: Go,
        passage: Coroutine[object, object, WorkflowResult],
    ) -> WorkflowResult:
        """What the passage of a go came to. Where that rests it is kept, else it is unwound."""
        try:
            result = await passage
        except BaseException:
            await go.unwind()
            raise
        if go.rests and self._goes_max:
            self._keep(task, fence, go)
        else:
            await go.unwind()
        return result

    async def clear(self) -> None:
        """Unwinds all of them."""
        for workflow_id in tuple(self._resting):
            self._leave(self._pop(workflow_id))
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _keep(self, task: WorkflowTask, fence: int, go: Go) -> None:
        if task.workflow_id in self._resting:
            self._leave(self._pop(task.workflow_id))  # others went on meanwhile: it is of no use
        self._resting[task.workflow_id] = _Resting(
            task.go + 1, fence, go, go.places, len(go.visited)
        )
        self._places += len(go.visited)
        while len(self._resting) > self._goes_max or self._places > self._places_max:
            self._leave(self._pop(next(iter(self._resting))))

    def _pop(self, workflow_id: UUID) -> Go:
        kept = self._resting.pop(workflow_id)
        self._places -= kept.weight
        return kept.go

    def _leave(self, go: Go) -> None:
        """Nobody waits for the end of it: what the user's code does as it leaves may take long."""
        leaving = asyncio.create_task(go.unwind())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


def _fits(kept: _Resting, task: WorkflowTask) -> bool:
    """Whether nobody but the engine recorded anything since it rests.

    An attempt whose rest was refused has another fence than the one that the task names.
    """
    return (kept.next, kept.fence) == (task.go, task.rested)
