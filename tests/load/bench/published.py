"""`docs/figures.md`, made of the reports that are committed beside it.

`python -m tests.load.bench.published` prints it; `./task gen figures` puts it in its place.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.load.bench.machine import USUAL
from tests.load.bench.peers.ratios import MEASURED, NAMES, PEER, key_of
from tests.load.bench.report import Report, number, shown
from tests.load.bench.scenarios.catalogue import chosen
from tests.load.bench.targets import MADE_ON, TARGETS, Target, at_most

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "figures"
BENCH, LONG, PLACED = "bench.json", "long.json", "placed.json"
BARE: Final = " ".join(chosen((), own=True, database=True))
SIZES: Final = {"sleepers": "sleepers", "held_s": "held", "soak_minutes": "minutes"}
"""What long runs are asked for with: settings and their flags."""
_REPORT: Final = msgspec.json.Decoder(Report)


def page(bench: Report, long: Report | None = None, placed: Report | None = None) -> str:
    """`placed` is the bench once more, or a part of it, where the cores were set up for it."""
    beside = _compared(bench.figures, "## Beside others")
    parts = [
        "# Figures",
        "",
        "Made by `./task gen figures` from the reports in `docs/figures`.",
        "[benchmarks.md](benchmarks.md) says what each figure is and how it is measured.",
        "",
        *_measured(bench, _command(bench, BENCH)),
        *_promised(bench, long),
        *beside,
        *_machines(bench.figures),
        *_others(bench.figures),
    ]
    if long is not None:
        command = _command(long, LONG, *_sizes(long.settings))
        parts += ["## Long runs", "", *_measured(long, command), *_figures(long.figures)]
    if placed is not None:
        parts += ["## On cores that are set up for it", ""]
        parts += _measured(placed, _command(placed, PLACED))
        parts += _beside_usual(bench, placed)
        parts += _compared(placed.figures, "### Beside others, so")
    return "\n".join(parts)


def _command(report: Report, name: str, *sizes: str) -> str:
    """What made it: a bare bench names no scenario."""
    scenarios = report.settings.get("scenarios", "")
    words = [
        "" if scenarios == BARE else scenarios,
        *sizes,
        "--peers" if any(key.startswith(PEER) for key in report.figures) else "",
        f"--rounds {len(report.rounds)}" if report.rounds else "",
    ]
    return " ".join(("./task bench", *filter(None, words), f"--json docs/figures/{name}"))


def _sizes(settings: Mapping[str, str]) -> list[str]:
    """How long and how large the scenarios were."""
    return [f"--{flag} {settings[key]}" for key, flag in SIZES.items() if key in settings]


def _measured(report: Report, command: str) -> list[str]:
    parts = {**report.machine}
    scheduling = parts.pop("scheduling", USUAL)
    command = command if scheduling == USUAL else f"{scheduling} {command}"
    machine = ", ".join(f"{key} {value}" for key, value in parts.items())
    speed = ", ".join(f"`{key}` {number(value)}" for key, value in report.calibration.items())
    notes = [f"- {note}" for note in report.notes]
    if report.rounds:
        notes.append(f"- each figure is the middle one of {len(report.rounds)} rounds")
    return [
        f"`{command}` on {report.measured_at[:10]}, commit {report.commit[:12]}.",
        f"The machine, which holds clients and servers alike: {machine}; before the start {speed}.",
        "",
        *notes,
        *([""] if notes else []),
    ]


def _promised(bench: Report, long: Report | None) -> list[str]:
    """What a bare bench leaves out is taken from the long runs."""
    reports = [bench] if long is None else [bench, long]
    rows: list[Sequence[str]] = []
    for key, target in TARGETS.items():
        report = next((one for one in reports if key in one.figures), None)
        value = None if report is None else report.figures[key]
        measured = "" if report is None else shown(report, key)
        rows.append((f"`{key}`", measured, *_judged(target, value), target.what))
    return [
        "## What is promised",
        "",
        *_table(("figure", "measured", "promised", "", "what"), rows),
    ]


def _judged(target: Target, value: float | None) -> tuple[str, str]:
    """What is promised, and whether it was kept."""
    promised = f"{'≤' if target.at_most else '≥'} {number(target.value)}"
    if value is None:
        return promised, "not measured"
    return promised, "reached" if target.reached(value) else "**missed**"


def _beside_usual(usual: Report, placed: Report) -> list[str]:
    """What was promised of them; another hour of the same machine is in the difference, too."""
    rows: list[Sequence[str]] = []
    for key, target in TARGETS.items():
        if key in placed.figures and key in usual.figures:
            judged = _judged(target, placed.figures[key])
            rows.append((f"`{key}`", number(usual.figures[key]), shown(placed, key), *judged))
    return _table(("figure", "as above", "so", "promised", ""), rows)


def _machines(figures: Mapping[str, float]) -> list[str]:
    """The means that everything rests on, here and where the promises were made."""
    rows: list[Sequence[str]] = []
    for key, there in MADE_ON.items():
        if key in figures:
            here = figures[key]
            slower = here / there if at_most(key) else there / here
            rows.append((f"`{key}`", number(here), number(there), f"{slower:.1f}"))
    if not rows:
        return []
    head = ("figure", "this machine", "where the promises were made", "times as slow")
    return ["## The machine's own limits", "", *_table(head, rows)]


def _others(figures: Mapping[str, float]) -> list[str]:
    shown = TARGETS.keys() | MADE_ON.keys()
    rest = {
        key: value
        for key, value in figures.items()
        if key not in shown and not key.startswith(PEER)
    }
    return ["## The rest", "", *_figures(rest)]


def _figures(figures: Mapping[str, float]) -> list[str]:
    return _table(
        ("figure", "measured"), [(f"`{key}`", number(value)) for key, value in figures.items()]
    )


def _compared(figures: Mapping[str, float], title: str) -> list[str]:
    """One line per figure; what somebody has no notion of stays empty."""
    there = [name for name in NAMES if any(key_of(name, key) in figures for key in MEASURED)]
    if not there:
        return []
    rows = [
        (
            f"{what} ({unit})",
            *(
                number(figures[key]) if key in figures else ""
                for key in (figure, *(key_of(name, figure) for name in there))
            ),
        )
        for figure, (what, unit) in MEASURED.items()
    ]
    head = ("figure", "Mainspring", *there)
    return [title, "", *_table(head, rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]


def main() -> None:
    bench = _REPORT.decode((FOLDER / BENCH).read_bytes())
    sys.stdout.write(page(bench, _report(LONG), _report(PLACED)))


def _report(name: str) -> Report | None:
    file = FOLDER / name
    return _REPORT.decode(file.read_bytes()) if file.exists() else None


if __name__ == "__main__":
    main()
