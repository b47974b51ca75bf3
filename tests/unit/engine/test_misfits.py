"""Held workflows are tried again once workers come or go."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.limits import NEWCOMERS_REST_S
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import offer_of
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.registry import Presence, Registration, Registry
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.registry import Workers
from mainspring_kernel.clock import ManualClock
from mainspring_schema.frames import Attach

CODER, OTHER, SHOP = UUID(int=1), UUID(int=2), UUID(int=3)


class Rows:
    """What an engine asks of the registry, and how often it tells others."""

    def __init__(self) -> None:
        self.tried: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.hints = 0

    async def register(self, _: Registration) -> bool:
        return False

    async def tell(self, presences: tuple[Presence, ...]) -> None:
        del presences

    async def beat(self, _: UUID) -> frozenset[UUID]:
        return frozenset()

    async def try_misfits(
        self, queues: tuple[str, ...], capabilities: tuple[str, ...], *, looks: int
    ) -> int:
        self.tried.append((queues, capabilities))
        return min(looks, 1)

    def ready(self, groups: tuple[object, ...]) -> None:
        self.hints += not groups


class Site:
    def __init__(self) -> None:
        self.clock, self.rows, self.roster = ManualClock(), Rows(), Roster()
        self.workers = Workers(
            registry=cast("Registry", cast("object", self.rows)),
            roster=self.roster,
            attachments=Attachments(),
            announcer=cast("Announcer", cast("object", self.rows)),
            clock=self.clock,
            replica=UUID(int=9),
        )

    async def attach(self, worker: UUID, *able: str, number: int = 1) -> None:
        attach = Attach(
            incarnation=worker, attach_number=number, name="w", build="b", queues=("default",),
            capabilities=able, slots=1,
        )  # fmt: skip
        await self.workers.registered(attach)
        self.roster.add(Seat(worker, number, offer_of(attach), 1))

    async def passes(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """What was tried in the time that newcomers are given."""
        await asyncio.sleep(0)
        self.clock.advance(NEWCOMERS_REST_S)
        for _ in range(3):
            await asyncio.sleep(0)
        tried, self.rows.tried = self.rows.tried, []
        return tried


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    site = Site()
    async with _working(site):
        yield site


@asynccontextmanager
async def _working(site: Site) -> AsyncGenerator[None]:
    task = asyncio.create_task(site.workers.work())
    try:
        await site.clock.until_sleeping(1)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_workers_that_start_together_are_one_try_of_all_their_kinds(site: Site) -> None:
    await site.attach(CODER, "workflow:report")
    await site.attach(OTHER, "workflow:bill", "task:mark")

    tried = await site.passes()

    assert tried == [(("default",), ("task:mark", "workflow:bill", "workflow:report"))]
    assert site.rows.hints == 1
    assert await site.passes() == []


async def test_a_worker_without_workflows_is_no_reason(site: Site) -> None:
    await site.attach(SHOP, "", "task:mark")

    assert await site.passes() == []


async def test_a_stream_that_comes_again_is_no_reason(site: Site) -> None:
    await site.attach(CODER, "workflow:report", number=2)

    assert await site.passes() == []


async def test_a_worker_that_leaves_gives_way_to_the_others(site: Site) -> None:
    await site.attach(CODER, "workflow:report", number=2)

    site.workers.tell(Presence(incarnation=CODER, attach_number=2, attached=True, leaving=True))

    assert await site.passes() == [(("default",), ("workflow:report",))]
