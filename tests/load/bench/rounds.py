"""Everything several times in turn: a machine that others share is not the same for long."""

from collections.abc import Iterable, Mapping, Sequence
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
    figures = {key: median(_all_of(key, rounds)) for key in dict.fromkeys(_keys(rounds))}
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    # A ratio is of the two figures that stand beside it, not of one that is in no table.
    return msgspec.structs.replace(
        last, figures=figures | ratios(figures), notes=list(notes), rounds=rounds
    )


def span(key: str, rounds: Sequence[Mapping[str, float]]) -> tuple[float, float] | None:
    """The least and the most of what the rounds had; None for fewer than two of them."""
    found = _all_of(key, rounds)
    return (min(found), max(found)) if len(found) > 1 else None


def _keys(rounds: Iterable[Mapping[str, float]]) -> Iterable[str]:
    return (key for figures in rounds for key in figures)


def _all_of(key: str, rounds: Sequence[Mapping[str, float]]) -> list[float]:
    return [figures[key] for figures in rounds if key in figures]
