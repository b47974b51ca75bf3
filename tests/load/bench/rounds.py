"""Everything several times in turn: a machine that others share is not the same for long."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from tests.load.bench.peers.ratios import ratios
from tests.load.bench.report import Report

ROUNDS_MAX: Final = 9
"""More would take an hour and say no more of the middle one."""


def middle(reports: Sequence[Report]) -> Report:
    """Each figure is the middle one of the rounds that have it; all else is the last round's."""
    *_, last = reports
    if len(reports) == 1:
        return last
    rounds = [report.figures for report in reports]
    keys = dict.fromkeys(key for figures in rounds for key in figures)
    figures = {key: median(one[key] for one in rounds if key in one) for key in keys}
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    # A ratio is of the two figures that stand beside it, not of one that is in no table.
    return msgspec.structs.replace(
        last, figures=figures | ratios(figures), notes=list(notes), rounds=rounds
    )
