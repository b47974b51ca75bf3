"""What is asked of the database while nobody uses the stack: who adds a loop adds it here."""

import json
import os
import subprocess
import sys
from typing import Final

import pytest

PER_MINUTE: Final = {
    "MemoryDutyStore.claim": 41,  # the scheduler: what is due
    "MemoryStore.due_timers": 41,
    "MemoryStore.ready_retries": 41,
    "MemoryStore.expired": 41,
    "MemoryStore.untaken": 21,  # signals whose hint was lost
    "MemoryStore.unfinished_deletes": 2,  # the api: its upkeep
    "MemoryStore.forget_keys": 2,
    "MemoryStore.forget_file_past": 2,
    "MemoryStore.forget_record_past": 2,
}
"""Of all engines together."""
PER_ENGINE: Final = {
    "MemoryStore.ready_groups": 61,  # ready tasks whose wake-up was lost
    "MemoryRegistry.beat": 13,
    "MemoryRegistry.unknown": 3,  # workers of a state that Postgres was put back to before
    "MemoryRegistry.shares": 2,  # streams of the other engines
    "MemoryLetters.due": 7,
    "MemoryLetters.keep_pace": 7,
}
IDLE_PER_S: Final = 4.5
"""Half a statement a second below what the whole stack may ask: metrics and api have a part."""


@pytest.mark.parametrize("engines", [1, 2])
def test_an_idle_minute_costs_no_more_than_it_says_here(engines: int) -> None:
    most = PER_MINUTE | {name: count * engines for name, count in PER_ENGINE.items()}

    ran = subprocess.run(
        [sys.executable, "-m", "tests.sim.idle", str(engines), "60"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": "1"},
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    asked: dict[str, int] = json.loads(ran.stdout)
    # Each engine keeps its own time of that look, and those that are not asked see who else is.
    most["MemoryStore.untaken"] *= engines
    most["MemoryStore.sweep_ages_ms"] = 31 * (engines - 1)
    assert {name: n for name, n in asked.items() if n > most.get(name, 0)} == {}
    if engines == 1:
        assert sum(asked.values()) / 60 <= IDLE_PER_S
