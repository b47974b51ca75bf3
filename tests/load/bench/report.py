"""What the bench says at its end: a table for people, one object for programs."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, field

from tests.load.bench.histograms import Spread
from tests.load.bench.statements import Dead, PerTurn
from tests.load.bench.targets import TARGETS

QUERY_CHARS_SHOWN = 68
STATEMENTS_SHOWN = 14


class Cost(Struct, frozen=True, kw_only=True):
    """What one process took while a load went on."""

    process: str
    cpu_s: float
    cpu_ms_per_unit: float
    memory_mib: float


class Series(Struct, frozen=True, kw_only=True):
    """Lines over seconds, by name; to be filled."""

    unit: str
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class Report(Struct, frozen=True, kw_only=True):
    """`figures` is flat; everything else is beside it for who wants to know more.

    Members that came later have a default: a comparison reads the reports of older versions.
    """

    machine: dict[str, str]
    calibration: dict[str, float]
    versions: dict[str, str]
    commit: str
    sampling: dict[str, float]
    figures: dict[str, float]
    spreads: dict[str, Spread]
    statements: list[PerTurn] = []
    nested: list[PerTurn] = []
    costs: dict[str, list[Cost]] = {}
    counts: dict[str, int] = {}
    notes: list[str] = []
    settings: dict[str, str] = {}
    """What was asked for: the scenarios, the target, and the plan."""
    seconds: float = 0.0
    measured_at: str = ""
    histograms: dict[str, str] = {}
    """HdrHistograms in their compressed form; values are thousandths of the name's unit."""
    series: dict[str, Series] = {}
    dead: list[Dead] = []
    """Rows that vacuum had not reached at the end."""
    rounds: list[dict[str, float]] = []
    """The figures of each round, of which `figures` has the middle ones; empty for a single one."""


def encode(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode(data: bytes) -> Report:
    """Raises msgspec.ValidationError for anything but a report."""
    return msgspec.json.decode(data, type=Report)


def render(report: Report) -> str:
    blocks = [
        _figures(report),
        table(["machine", ""], [[k, number(v)] for k, v in report.calibration.items()]),
        _spreads(report.spreads),
        *(_costs(load, costs) for load, costs in report.costs.items()),
        _dead(report.dead),
        _statements("statements per turn", report.statements),
        _statements("inside functions", report.nested),
        "\n".join(report.notes),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def missed(figures: Mapping[str, float]) -> list[str]:
    """Keys with a target that was not reached."""
    return [
        key for key, value in figures.items() if key in TARGETS and not TARGETS[key].reached(value)
    ]


def span(key: str, rounds: Sequence[Mapping[str, float]]) -> tuple[float, float] | None:
    """The least and the most of what the rounds had; None for fewer than two of them."""
    found = [figures[key] for figures in rounds if key in figures]
    return (min(found), max(found)) if len(found) > 1 else None


def shown(report: Report, key: str) -> str:
    """A figure of it for people, with how far apart the rounds were."""
    found = span(key, report.rounds)
    apart = "" if found is None else f" ({number(found[0])} to {number(found[1])})"
    return f"{number(report.figures[key])}{apart}"


def number(value: float) -> str:
    """Three digits that mean something, none that do not."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; all but the first and the last lean right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def shown(line: Sequence[str]) -> str:
        last = len(line) - 1
        cells = (
            cell.ljust(width) if column in (0, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([shown(head), rule, *map(shown, rows)])


def _figures(report: Report) -> str:
    rows: list[list[str]] = []
    for key, value in report.figures.items():
        target = TARGETS.get(key)
        if target is None:
            rows.append([key, shown(report, key), "", "", ""])
            continue
        bound = f"{'<=' if target.at_most else '>='} {number(target.value)}"
        verdict = "reached" if target.reached(value) else "MISSED"
        rows.append([key, shown(report, key), bound, verdict, target.what])
    return table(["figure", "measured", "target", "", "what"], rows)


def _spreads(spreads: Mapping[str, Spread]) -> str:
    rows = [
        [name, str(s.count), number(s.p50), number(s.p95), number(s.p99), number(s.worst)]
        for name, s in spreads.items()
    ]
    return table(["samples", "count", "p50", "p95", "p99", "worst"], rows) if rows else ""


def _costs(load: str, costs: Sequence[Cost]) -> str:
    rows = [
        [c.process, number(c.cpu_s), number(c.cpu_ms_per_unit), number(c.memory_mib)] for c in costs
    ]
    return table([f"processes, {load}", "CPU s", "CPU ms each", "MiB"], rows)


def _dead(tables: Sequence[Dead]) -> str:
    rows = [
        [one.name, f"{one.dead:,}", f"{one.live:,}", f"{one.updated:,}", f"{one.updated_hot:,}"]
        for one in tables
    ]
    return table(["dead tuples", "dead", "live", "updates", "in place"], rows) if rows else ""


def _statements(title: str, statements: Sequence[PerTurn]) -> str:
    if not statements:
        return ""
    rows = [
        [s.role, number(s.calls), number(s.exec_ms), number(s.blocks), _short(s.query)]
        for s in statements[:STATEMENTS_SHOWN]
    ]
    calls = sum(s.calls for s in statements)
    milliseconds = sum(s.exec_ms for s in statements)
    blocks = sum(s.blocks for s in statements)
    rows.append(["all", number(calls), number(milliseconds), number(blocks), ""])
    return table([title, "calls", "ms", "blocks", "statement"], rows)


def _short(query: str) -> str:
    if len(query) <= QUERY_CHARS_SHOWN:
        return query
    return query[: QUERY_CHARS_SHOWN - 1] + "…"
