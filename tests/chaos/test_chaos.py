"""A short campaign on real processes: whatever breaks, each promise is kept."""

from pathlib import Path

import pytest

from tests.chaos import report
from tests.chaos.campaign import Campaign, Options

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("chaos"),
]
MINUTES = 1.5
FAULTS_MIN = 3
"""Strikes are drawn by time; a slow machine sees fewer in as long."""


async def test_nothing_is_lost_doubled_or_skipped_whatever_breaks(tmp_path: Path) -> None:
    options = Options(minutes=MINUTES, seed=1, people=4, customers=3, command="the smoke")

    told = await Campaign(options, tmp_path, print).play()

    print("\n".join(report.lines(told)))
    report.write(told, tmp_path)
    # An error line that nobody foresaw is for people to read, and no broken promise.
    broken = {kind: count for kind, count in told.violations.items() if kind != "log"}
    assert broken == {}, told.sentences
    assert len(told.faults) >= FAULTS_MIN
    assert told.turns >= 1
    assert told.programs + told.plain_tasks >= 1
    assert told.effects >= 1
