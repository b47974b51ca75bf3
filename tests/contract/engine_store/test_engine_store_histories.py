"""Memory and Postgres, operation by operation: random histories have the same answers on both."""

import os
from collections import Counter

import pytest

from tests.contract.engine_store.engine_worlds import PostgresWorld, query
from tests.contract.engine_store.history import History, OlderMemory
from tests.contract.engine_store.program_history import ProgramHistory

PROGRAM_OPERATIONS = 600
OPERATIONS = int(os.environ.get("MAINSPRING_HISTORY_OPERATIONS", "20000"))
"""Of the normal run; a million on demand."""
LENGTH = 1_000
"""Operations of one history: each looks at all that is open, so a long one costs its square."""
MUST_BE_SEEN = {
    "work: COMMITTED", "work: CONFLICT", "answer: COMMITTED", "answer: STALE", "answer: DUPLICATE",
    "mark: COMMITTED", "emit: COMMITTED", "emit: DUPLICATE", "claim: Claimed", "renew: Renewed",
    "start: COMMITTED", "start: STALE", "start: DUPLICATE", "release: COMMITTED", "release: STALE",
}  # fmt: skip
PROGRAMS_MUST_SEE = {
    "start program: COMMITTED", "start program: DUPLICATE", "start program: INVALID",
    "go on: COMMITTED", "go on: DUPLICATE", "go on: CONFLICT", "go on: STALE", "go on: INVALID",
    "letters: LetterView", "list: WorkflowRow",
}  # fmt: skip
FORGET = query("truncate engine.task, engine.timer, engine.worker")


@pytest.mark.timeout(3600)
async def test_both_stores_answer_every_history_alike(postgres_world: PostgresWorld) -> None:
    seen: Counter[str] = Counter()

    for seed in range(-(-OPERATIONS // LENGTH)):
        await postgres_world.owner.execute(FORGET)
        history = History(OlderMemory(), postgres_world, seed=20261126 + seed)
        await history.begin()
        for _ in range(min(LENGTH, OPERATIONS)):
            await history.step()
        seen += history.seen

    assert seen.keys() >= MUST_BE_SEEN


@pytest.mark.timeout(600)
async def test_both_stores_answer_histories_of_programs_alike(
    postgres_world: PostgresWorld,
) -> None:
    seen: Counter[str] = Counter()

    for seed in range(2):
        await postgres_world.owner.execute(FORGET)
        history = ProgramHistory(OlderMemory(), postgres_world, seed=20261130 + seed)
        await history.begin()
        for _ in range(PROGRAM_OPERATIONS):
            await history.step()
        seen += history.seen

    assert seen.keys() >= PROGRAMS_MUST_SEE
