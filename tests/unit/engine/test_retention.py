"""Which records are removed, and how much of them in one pass."""

from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.postgres.retention import PostgresRetention
from mainspring_engine.domain.limits import (
    EXAMINED_PAGE,
    EXAMINED_PAGES_MAX,
    RECORDS_PER_PASS_MAX,
    RECORDS_PER_TRIM_MAX,
)
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.retention import BEHIND_ALL, Keep, needless
from mainspring_engine.domain.workflow.state import Course, WorkflowState, encode
from mainspring_engine.ports.retention import Examined, Trim
from mainspring_engine.usecases.retention import Retention, Trimmed
from mainspring_postgres import Database, Query
from mainspring_schema.tasks import WorkflowResult
from tests.unit.engine.program import Desk

DAY_MS = 24 * 3600 * 1000
NOW_MS = 100 * DAY_MS
STATE = WorkflowState(type="order", key="k", queue="default", generation=10)
ENDED = msgspec.structs.replace(STATE, ended_ms=NOW_MS - 7 * DAY_MS)


@pytest.mark.parametrize(
    ("generations", "bound"),
    [(0, None), (1, "b10~"), (2, "a9~"), (10, "a1~"), (11, None), (12, None)],
)
def test_of_a_workflow_the_newest_generations_are_kept(generations: int, bound: str | None) -> None:
    assert needless(STATE, Outcome.RUNNING, Keep(generations), NOW_MS) == bound
    assert needless(ENDED, Outcome.COMPLETED, Keep(generations), NOW_MS) == bound


@pytest.mark.parametrize("outcome", [Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED])
def test_of_one_that_ended_nothing_is_kept_once_its_time_is_over(outcome: Outcome) -> None:
    assert needless(ENDED, outcome, Keep(ended_days=7), NOW_MS) == BEHIND_ALL
    assert needless(ENDED, outcome, Keep(ended_days=7), NOW_MS - 1) is None
    assert needless(ENDED, outcome, Keep(), NOW_MS) is None


def test_one_that_goes_on_keeps_its_newest_generation_for_ever() -> None:
    assert needless(STATE, Outcome.RUNNING, Keep(1, 0.001), NOW_MS) == "b10~"
    assert needless(STATE, Outcome.RUNNING, Keep(0, 0.001), NOW_MS) is None


def test_one_that_ended_nobody_knows_when_keeps_its_records() -> None:
    assert needless(STATE, Outcome.COMPLETED, Keep(ended_days=1), NOW_MS) is None


def test_a_declared_one_keeps_its_records() -> None:
    declared = msgspec.structs.replace(ENDED, course=Course(declaration=b"h" * 32))

    assert needless(declared, Outcome.COMPLETED, Keep(1, 1), NOW_MS) is None


def test_every_place_stands_before_the_bound_behind_all() -> None:
    assert max("0", "9", "j1234567890~0", "a1~9/9") < BEHIND_ALL


def test_the_end_of_a_workflow_is_written_down() -> None:
    desk = Desk()
    desk.claimed()
    assert desk.state.ended_ms == 0

    desk.brings(WorkflowResult(outcome="completed"))

    assert desk.state.ended_ms == desk.clock.wall_ms()


class Shelf:
    """Workflows that ended long ago, with so many records each."""

    def __init__(self, *records: int) -> None:
        self.records = {UUID(int=n + 1): count for n, count in enumerate(records)}
        self.looks: list[UUID] = []
        self.trims: list[int] = []

    async def examine(self, *, after: UUID, limit: int) -> tuple[Examined, ...]:
        self.looks.append(after)
        ids = [id_ for id_ in self.records if id_ > after]
        return tuple(
            Examined(workflow_id=id_, outcome=Outcome.COMPLETED, state=encode(ENDED), now_ms=NOW_MS)
            for id_ in ids[:limit]
        )

    async def trim(self, trims: tuple[Trim, ...], *, limit: int) -> int:
        gone = 0
        for trim in trims:
            taken = min(limit - gone, self.records[trim.workflow_id])
            self.records[trim.workflow_id] -= taken
            gone += taken
        self.trims.append(gone)
        return gone


KEEP = Keep(ended_days=7)


async def test_a_pass_removes_what_nobody_is_promised_in_short_transactions() -> None:
    shelf = Shelf(3, 2 * RECORDS_PER_TRIM_MAX, 1)

    done = await Retention(shelf, KEEP).sweep()

    assert done == Trimmed(2 * RECORDS_PER_TRIM_MAX + 4, more=False)
    assert not any(shelf.records.values())
    assert max(shelf.trims) == RECORDS_PER_TRIM_MAX


async def test_a_pass_stops_at_its_bound_says_so_and_goes_on() -> None:
    shelf = Shelf(RECORDS_PER_PASS_MAX + 1, 2)
    retention = Retention(shelf, KEEP)

    first = await retention.sweep()
    second = await retention.sweep()

    assert first == Trimmed(RECORDS_PER_PASS_MAX, more=True)
    assert second == Trimmed(3, more=False)


async def test_a_pass_looks_at_so_many_workflows_and_the_next_at_those_behind() -> None:
    shelf = Shelf(*[0] * (EXAMINED_PAGE * EXAMINED_PAGES_MAX + 1))
    retention = Retention(shelf, KEEP)

    first = await retention.sweep()
    seen = len(shelf.looks)
    second = await retention.sweep()
    await retention.sweep()

    assert seen == EXAMINED_PAGES_MAX
    assert (first, second) == (Trimmed(0, more=True), Trimmed(0, more=False))
    assert shelf.looks[seen] == UUID(int=EXAMINED_PAGE * EXAMINED_PAGES_MAX)
    assert shelf.looks[seen + 1] == UUID(int=0)


async def test_where_all_is_kept_nothing_is_read() -> None:
    shelf = Shelf(5)

    assert await Retention(shelf, Keep()).sweep() == Trimmed(0, more=False)
    assert shelf.looks == []


class Statements:
    """A database in which no workflow has a record."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def fetch_as(self, type_: type[object], query: Query, *_: object) -> list[object]:
        del type_
        self.sent.append(query.name)
        return []


async def test_of_workflows_that_were_emptied_nothing_is_deleted_again() -> None:
    database = Statements()
    rows = PostgresRetention(cast("Database", cast("object", database)))
    trims = tuple(Trim(workflow_id=UUID(int=n), bound=BEHIND_ALL) for n in range(500))

    assert await rows.trim(trims, limit=RECORDS_PER_TRIM_MAX) == 0

    assert database.sent == ["holding"]
