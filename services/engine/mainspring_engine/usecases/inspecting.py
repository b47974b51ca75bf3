"""What operators look at: open tasks, and the health of the whole engine."""

import asyncio
from typing import assert_never

from mainspring_engine.domain.health import health
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.ports.store import Store
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_schema.configs import GetConfigs, KeptConfigs
from mainspring_schema.open_work import OPEN_IDS_PER_QUESTION_MAX, FindOpen, OpenWork
from mainspring_schema.operations import (
    GetHealth,
    GetTask,
    Health,
    ListTasks,
    TaskDetails,
    TaskPage,
)


class Inspector:
    """Every method raises Unavailable where the store is away."""

    def __init__(
        self, *, inspection: Inspection, store: Store, holds: HoldTimes, clock: Clock
    ) -> None:
        self._inspection = inspection
        self._store = store
        self._holds = holds
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: tuple[float, Health] | None = None

    async def answer(
        self, asked: ListTasks | GetTask | GetHealth | GetConfigs | FindOpen
    ) -> object:
        """Raises NotFound, ValidationFailed for more ids than one question may have."""
        match asked:
            case ListTasks():
                return await self.tasks(asked)
            case GetTask():
                return await self.task(asked)
            case GetHealth():
                return await self.health(asked)
            case GetConfigs(hashes=hashes):
                return KeptConfigs(bodies=await self._store.configs(hashes))
            case FindOpen():
                return await self._open(asked)
            case _:
                assert_never(asked)

    async def tasks(self, asked: ListTasks) -> TaskPage:
        if asked.status == "closed":
            return await self._closed(asked)
        found = await self._inspection.tasks(asked)
        page = found[: asked.limit]
        return TaskPage(tasks=page, next=page[-1].id if len(found) > len(page) else None)

    async def _closed(self, asked: ListTasks) -> TaskPage:
        page = await self._inspection.closed(asked.org_id, asked.after, asked.limit)
        fitting = (task for task in page.tasks if asked.queue in (None, task.queue))
        return TaskPage(tasks=tuple(fitting), next=page.next)

    async def task(self, asked: GetTask) -> TaskDetails:
        """Raises NotFound."""
        found = await self._inspection.task(asked.org_id, asked.task_id)
        if found is None:
            raise NotFound
        return found

    async def _open(self, asked: FindOpen) -> OpenWork:
        if len(asked.ids) > OPEN_IDS_PER_QUESTION_MAX:
            detail = f"at most {OPEN_IDS_PER_QUESTION_MAX} ids in one question"
            raise ValidationFailed(detail)
        return OpenWork(ids=await self._inspection.still_open(asked.ids, asked.org_id))

    async def health(self, asked: GetHealth) -> Health:
        """Looks only where nobody has lately: one look at a time, shared by all who wait for it."""
        asked_at = self._clock.mono()
        async with self._looking:
            if self._seen is not None:
                looked_at, known = self._seen
                if looked_at >= asked_at - asked.age_ms_max / 1000:
                    return known
            looked_at = self._clock.mono()
            seen = health(
                await self._inspection.sample(), self._holds, await self._store.sweep_ages_ms()
            )
            self._seen = (looked_at, seen)
            return seen
