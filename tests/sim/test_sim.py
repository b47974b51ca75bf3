"""The simulator itself: seeds hold, are the same again, and see what they should."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SEEDS = 5000
"""What fits two minutes of two cores at rest."""
PARTS = 8
"""So that both cores have their share."""
CAUGHT = ("fence of an emit", "a gap is read", "a pass finds what no hint told")
"""Some of them; `./task sim --ablations` takes away all."""
CAUGHT_SEEDS = 400
"""At most: the first that notices ends the run. Which one it is changes with every line of code."""


def sim(*arguments: str) -> str:
    """What the verb prints. A failure shows it."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.sim", *arguments],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("part", range(PARTS))
def test_every_rule_holds_whatever_breaks(part: int) -> None:
    size = SEEDS // PARTS

    told = sim("--first", str(part * size), "--seeds", str(size), "--processes", "1")

    counted = re.search(rf"{size:,} seeds in \d+ s, (\d+) of them toys", told)
    assert counted is not None
    assert int(counted[1]) <= size // 10


def test_a_seed_is_the_same_again_in_another_process() -> None:
    first = sim("--seeds", "60", "--processes", "1", "--traces")
    again = sim("--seeds", "60", "--processes", "2", "--traces")

    traces = [line for line in first.splitlines() if line.startswith("trace")]
    assert len(traces) == 60
    assert traces == [line for line in again.splitlines() if line.startswith("trace")]


def test_safeguards_that_are_away_are_missed() -> None:
    told = sim("--safeguards", *CAUGHT, "--seeds", str(CAUGHT_SEEDS), "--processes", "1")

    assert told.count("missed by seed") == len(CAUGHT)
