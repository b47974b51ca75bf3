"""Memory and Postgres, operation by operation: random histories have the same answers on both."""

import os

import pytest

from tests.contract.engine_store.engine_worlds import PostgresWorld
from tests.contract.engine_store.history import History, OlderMemory

OPERATIONS = int(os.environ.get("MAINSPRING_HISTORY_OPERATIONS", "2000"))
"""Of the normal run; a million on demand."""
MUST_BE_SEEN = {
    "work: COMMITTED", "work: CONFLICT", "answer: COMMITTED", "answer: STALE", "answer: DUPLICATE",
    "mark: COMMITTED", "emit: COMMITTED", "emit: DUPLICATE", "claim: Claimed", "renew: Renewed",
    "start: COMMITTED", "start: STALE", "start: DUPLICATE", "release: COMMITTED", "release: STALE",
}  # fmt: skip


@pytest.mark.timeout(3600)
async def test_both_stores_answer_every_history_alike(postgres_world: PostgresWorld) -> None:
    history = History(OlderMemory(), postgres_world, seed=20261126)
    await history.begin()

    for _ in range(OPERATIONS):
        await history.step()

    assert history.seen.keys() >= MUST_BE_SEEN
