"""The report as one page that opens anywhere: its style and its plots are inside."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from tests.load.bench import plots
from tests.load.bench.histograms import Histogram
from tests.load.bench.peers.driver import OWN
from tests.load.bench.peers.ratios import NAMES, groups, key_of
from tests.load.bench.report import Report, number, shown
from tests.load.bench.targets import TARGETS

STYLE: Final = Path(__file__).with_name("page.css")
KINDS: Final = {
    "turn": "Turns, by percentile",
    "dispatch": "Submit to handler, by percentile",
    "sse": "Commit to client, by percentile",
    "wait": "Wait of a quiet organization, by percentile",
    "recovery": "Kill to recovery, by percentile",
    "soak": "Turns of the soak, by percentile",
    "workflow": "Workflows, by percentile",
    "timer": "Lateness of timers, by percentile",
}
EVERYONE: Final = {
    "dispatch_idle_ms": "Submit to handler, idle, everyone",
    "workflow3_ms": "A workflow of three steps, everyone",
}
STATEMENTS_SHOWN: Final = 30


def render(report: Report) -> str:
    sections = [
        _promised(report),
        *_peers(report.figures),
        *_everyone(report.histograms),
        *_curves(report.histograms),
        *(
            _figure(name[:1].upper() + name[1:], plots.over_time(one.lines, one.unit))
            for name, one in report.series.items()
        ),
        *_tables(report),
        *_circumstances(report),
        _others(report.figures),
    ]
    inside = "".join(section for section in sections if section)
    where = " · ".join(
        word
        for word in (
            report.commit and f"commit {report.commit}",
            report.machine.get("processor", ""),
            f"{report.machine.get('cores', '?')} cores",
            f"{report.seconds:.0f} s",
            report.measured_at,
        )
        if word
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Mainspring bench</title><style>{STYLE.read_text()}</style></head><body>"
        f"<header><h1>Mainspring bench</h1><p>{escape(where)}</p></header><main>{inside}</main>"
        "</body></html>\n"
    )


def _promised(report: Report) -> str:
    """Promised figures in the order of the promises, with how much of each was reached."""
    rows: list[str] = []
    for key, target in TARGETS.items():
        if key not in report.figures:
            continue
        value = report.figures[key]
        reached = target.reached(value)
        part = (target.value / value if target.at_most else value / target.value) if value else 1.0
        bound = f"{'≤' if target.at_most else '≥'} {number(target.value)}"
        width = f"{min(part, 1.0) * 100:.0f}%"
        rows.append(
            f'<tr class="{"reached" if reached else "missed"}"><td>{escape(target.what)}'
            f'<br><code>{key}</code></td><td class="n">{shown(report, key)}</td>'
            f'<td class="n">{bound}</td><td class="meter"><b style="width:{width}"></b></td>'
            f"<td>{'reached' if reached else 'missed'}</td></tr>"
        )
    if not rows:
        return ""
    head = '<tr><th>Promise<th class="n">Measured<th class="n">Target<th>Part reached<th></tr>'
    return f'<section class="wide"><h2>Promises</h2><table>{head}{"".join(rows)}</table></section>'


def _peers(figures: Mapping[str, float]) -> Iterable[str]:
    for group in groups(figures):
        yield _figure(group.title, plots.bars(group.rows, group.unit, own=OWN), note=group.note)


def _everyone(histograms: Mapping[str, str]) -> Iterable[str]:
    """The same load through us and through each peer."""
    for name, title in EVERYONE.items():
        theirs = {peer: key_of(peer, name) for peer in NAMES if key_of(peer, name) in histograms}
        own = {OWN: name} if name in histograms else {}
        if theirs:
            yield _figure(title, _by_percentile(own | theirs, histograms, "ms"))


def _by_percentile(keys: Mapping[str, str], histograms: Mapping[str, str], unit: str) -> str:
    found = {
        shown: list(Histogram.summed([histograms[key]]).curve()) for shown, key in keys.items()
    }
    return plots.by_percentile(found, unit)


def _curves(histograms: Mapping[str, str]) -> Iterable[str]:
    for kind, title in KINDS.items():
        found = {name: name for name in histograms if name.partition("_")[0] == kind}
        if found:
            unit = "s" if kind == "recovery" else "ms"
            yield _figure(title, _by_percentile(found, histograms, unit))


def _figure(title: str, drawing: str, *, note: str = "") -> str:
    if not drawing:
        return ""
    told = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{drawing}{told}</section>"


def _others(figures: Mapping[str, float]) -> str:
    """Folded: they are many, and for who looks for one."""
    rows = [[key, number(value)] for key, value in figures.items() if key not in TARGETS]
    table = _table("Other figures", ["figure", "measured"], rows)
    summary = "<summary>Other figures</summary>"
    return f'<details class="wide">{summary}{table}</details>' if rows else ""


def _tables(report: Report) -> Iterable[str]:
    for load, costs in report.costs.items():
        rows = [
            [c.process, number(c.cpu_s), number(c.cpu_ms_per_unit), number(c.memory_mib)]
            for c in costs
        ]
        yield _table(f"Processes, {load}", ["process", "CPU s", "CPU ms each", "MiB"], rows)
    yield _table(
        "Samples",
        ["samples", "count", "P50", "P95", "P99", "worst"],
        [
            [name, str(s.count), number(s.p50), number(s.p95), number(s.p99), number(s.worst)]
            for name, s in report.spreads.items()
        ],
    )
    yield _table(
        "Statements per turn",
        ["role", "calls", "ms", "blocks", "statement"],
        [
            [s.role, number(s.calls), number(s.exec_ms), number(s.blocks), s.query[:300]]
            for s in report.statements[:STATEMENTS_SHOWN]
        ],
        wide=True,
    )
    yield _table(
        "Dead tuples",
        ["table", "dead", "live", "updates", "in place"],
        [
            [d.name, f"{d.dead:,}", f"{d.live:,}", f"{d.updated:,}", f"{d.updated_hot:,}"]
            for d in report.dead
        ],
    )


def _circumstances(report: Report) -> Iterable[str]:
    for title, pairs in (
        ("Machine", report.machine | {k: number(v) for k, v in report.calibration.items()}),
        ("Versions", report.versions),
        ("Settings", report.settings),
    ):
        yield _table(title, ["", ""], [[key, value] for key, value in pairs.items()])
    if report.notes:
        notes = "".join(f"<pre>{escape(note)}</pre>" for note in report.notes)
        yield f'<section class="wide"><h2>Notes</h2>{notes}</section>'


def _table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, wide: bool = False
) -> str:
    if not rows:
        return ""
    last = len(head) - 1
    heads = "".join(
        _cell(word, at, last, wide=wide).replace("<td", "<th") for at, word in enumerate(head)
    )
    lines = "".join(
        "<tr>" + "".join(_cell(cell, at, last, wide=wide) for at, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    kind = ' class="wide"' if wide else ""
    return (
        f"<section{kind}><h2>{escape(title)}</h2><table><tr>{heads}</tr>{lines}</table></section>"
    )


def _cell(cell: str, column: int, last: int, *, wide: bool) -> str:
    """Numbers lean right; the first column and a statement do not."""
    left = column == 0 or (wide and column == last) or last == 1
    return "<td>" + escape(cell) if left else f'<td class="n">{escape(cell)}'
