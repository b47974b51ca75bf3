"""What a run came to: JSON for machines, a page for people."""

import html
from pathlib import Path
from typing import Final

import msgspec

SHOWN_MAX: Final = 50
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td { padding: .2rem .8rem }
td + td { text-align: right; font-variant-numeric: tabular-nums } tr { border-top: 1px solid #ccc }
.bad { color: #b00020 } .good { color: #176b2c }
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    command: str
    seed: int
    commit: str
    without: str
    beside: str
    """The other version that was at work."""
    minutes: float
    faults: dict[str, int]
    """Strikes by kind."""
    reached: dict[str, int]
    """Processes that were hit: kills of services and servers, and those thawed after a lease."""
    swallowed_commits: int
    turns: int
    """With users' workflows."""
    programs: int
    plain_tasks: int
    outcomes: dict[str, int]
    messages: int
    posts: int
    posts_unanswered: int
    posts_put_off: int
    model_calls: int
    effects: int
    sse_clients: int
    sse_connections: int
    sse_events: int
    lost: int
    duplicated: int
    effects_doubled: int
    sse_gaps: int
    recovery_p50_s: float | None
    recovery_p99_s: float | None
    recoveries: int
    restart_p50_s: float | None
    restart_p99_s: float | None
    turn_p50_s: float | None
    turn_p99_s: float | None
    rest_s: float
    """From the healing until nothing was under way."""
    violations: dict[str, int]
    sentences: list[str]

    @property
    def sound(self) -> bool:
        return not self.violations


def percentile(values: list[float], part: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3)


def write(report: Report, folder: Path) -> None:
    """`report.json` and `report.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=2)
    (folder / "report.json").write_bytes(encoded + b"\n")
    (folder / "report.html").write_text(page(report))


def lines(report: Report) -> list[str]:
    """For a terminal."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(report.faults.items()))
    return [
        f"faults: {sum(report.faults.values()):,}: {kinds}",
        ", ".join(f"{what} {count:,}" for what, count in report.reached.items()),
        f"turns {report.turns:,} {report.outcomes}, messages {report.messages:,} in "
        f"{report.posts:,} posts ({report.posts_unanswered:,} without an answer, "
        f"{report.posts_put_off:,} put off), model calls {report.model_calls:,}, "
        f"effects {report.effects:,}, programs {report.programs:,}, "
        f"plain tasks {report.plain_tasks:,}",
        f"SSE: {report.sse_clients:,} clients, {report.sse_connections:,} connections, "
        f"{report.sse_events:,} events",
        f"recovery of {report.recoveries:,} tasks: P50 {_s(report.recovery_p50_s)}, "
        f"P99 {_s(report.recovery_p99_s)}; restarts: P50 {_s(report.restart_p50_s)}, "
        f"P99 {_s(report.restart_p99_s)}; turns: P50 {_s(report.turn_p50_s)}, "
        f"P99 {_s(report.turn_p99_s)}; at rest {report.rest_s:.1f} s after the healing",
        f"lost {report.lost}, duplicated {report.duplicated}, "
        f"effects doubled {report.effects_doubled}, SSE gaps {report.sse_gaps}",
        *report.sentences[:SHOWN_MAX],
        "no violation" if report.sound else f"VIOLATIONS: {report.violations}",
    ]


def _s(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:.2f} s"


def page(report: Report) -> str:
    fields = msgspec.to_builtins(report)
    rows = "".join(
        f"<tr><td>{html.escape(name.replace('_', ' '))}</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in fields.items()
        if not isinstance(value, dict | list)
    )
    faults = "".join(
        f"<tr><td>{html.escape(kind)}</td><td>{count:,}</td></tr>"
        for kind, count in (*report.reached.items(), *sorted(report.faults.items()))
    )
    found = "".join(f"<li>{html.escape(one)}</li>" for one in report.sentences)
    verdict = "no violation" if report.sound else f"violations: {report.violations}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Chaos, seed {report.seed}</title>"
        f"<style>{_STYLE}</style><h1>Chaos, seed {report.seed}</h1>"
        f"<p class={'good' if report.sound else 'bad'}>{html.escape(verdict)}</p>"
        f"<ul class=bad>{found}</ul><h2>Figures</h2><table>{rows}</table>"
        f"<h2>Faults</h2><table>{faults}</table></html>\n"
    )
