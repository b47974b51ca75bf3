"""How soon the simulation misses each safeguard: measured into a report, printed as a page.

`./task sim --ablations` measures; `python -m tests.sim.ablations` prints `docs/ablations.md`, which
`./task gen ablations` puts in its place.
"""

import datetime
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.sim.apart import apart
from tests.sim.run import run
from tests.sim.safeguards import SAFEGUARDS, without

REPORT: Final = Path(__file__).resolve().parents[2] / "docs" / "figures" / "ablations.json"
STARTS: Final = (0, 1000, 2000)
"""Seeds to begin with: how many it takes from each is one measurement."""
_RULE_CHARS: Final = 60
_CRASHES: Final = ("ended by", "never retrieved")
"""What runs the simulation says so of its own programs: no rule saw it."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`took` counts seeds until one showed it, from each start; empty where none did."""

    name: str
    took: tuple[int, ...]
    tried: int
    rule: str
    """How the first one showed it."""
    commit: str
    """At which it was measured: rows are measured one by one."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    command: str
    measured_on: str
    rows: tuple[Row, ...]


def measure(names: Iterable[str], most: int, processes: int, command: str) -> int:
    """Writes the report, row by row; what is measured anew replaces its old row."""
    report = _known()
    rows = {row.name: row for row in report.rows if row.name in SAFEGUARDS}
    for name in names:
        rows[name] = _row(name, most, processes)
        print(_line(rows[name]), flush=True)
        report = Report(
            command=command, measured_on=_today(),
            rows=tuple(rows[known] for known in SAFEGUARDS if known in rows),
        )  # fmt: skip
        encoded = msgspec.json.format(msgspec.json.encode(report), indent=2)
        REPORT.write_bytes(encoded + b"\n")
    return 0


def _row(name: str, most: int, processes: int) -> Row:
    took: list[int] = []
    rule = ""
    for start in STARTS:
        found = _first(name, range(start, start + most), processes)
        if found is None:
            # Whoever is not seen from one start is rarely seen at all, and seeds cost time.
            return Row(name=name, took=(), tried=most, rule="", commit=_commit())
        took.append(found[0] - start + 1)
        rule = rule or found[1]
    return Row(name=name, took=tuple(took), tried=most, rule=rule, commit=_commit())


def _first(name: str, seeds: Sequence[int], processes: int) -> tuple[int, str] | None:
    asked = [(name, seed) for seed in seeds]
    return next((found for found in apart(_problem, asked, processes) if found[1]), None)


def _problem(asked: tuple[str, int]) -> tuple[int, str]:
    name, seed = asked
    with without(name):
        problems = run(seed).problems
    rules = (one for one in problems if not any(crash in one for crash in _CRASHES))
    return seed, next(rules, "")


def _known() -> Report:
    if not REPORT.exists():
        return Report(command="", measured_on="", rows=())
    return msgspec.json.decode(REPORT.read_bytes(), type=Report)


def _line(row: Row) -> str:
    told = f"after {row.took} seeds: {row.rule}"
    if not row.took:
        told = f"NOT MISSED in {row.tried}"
    return f"{row.name:42} {told[:120]}"


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


# ── the page ────────────────────────────────────────────────────────────────────────────────────


def page(report: Report) -> str:
    ordered = sorted(report.rows, key=lambda row: statistics.median(row.took or (10**6,)))
    missed = [row for row in ordered if row.took]
    lines = [
        "# Ablations",
        "",
        "Made by `./task gen ablations` from `docs/figures/ablations.json`.",
        "Each safeguard is taken away from the simulation by one line of",
        "`tests/sim/safeguards.py`, and seeds go on until a rule is seen to break: the median of",
        "three places to begin. A crash alone does not count: a rule must see it.",
        "",
        f"`{report.command}`, {report.measured_on}: of {len(report.rows)} safeguards "
        f"{len(missed)} are missed by seeds.",
        "",
        "| safeguard | seeds to miss it, median | from each start | how it shows first | commit |",
        "|---|---|---|---|---|",
        *(_cells(row) for row in ordered),
    ]
    return "\n".join(lines)


def _cells(row: Row) -> str:
    if not row.took:
        return f"| {row.name} | none in {row.tried} | | | {row.commit} |"
    each = ", ".join(map(str, row.took))
    # Ids differ from seed to seed and say nothing here.
    words = [word for word in row.rule.split() if sum(map(str.isdigit, word)) < len(word) / 4]
    rule = " ".join(words)[:_RULE_CHARS].replace("|", "/")
    return f"| {row.name} | {statistics.median(row.took):g} | {each} | {rule} | {row.commit} |"


if __name__ == "__main__":
    print(page(_known()))
    sys.exit(0)
