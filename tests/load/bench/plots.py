"""Plots as SVG, drawn here so that a page needs nothing but itself."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from msgspec import Struct

from tests.load.bench.report import number

Points = Sequence[tuple[float, float]]
WIDTH: Final = 640
HEIGHT: Final = 280
LEFT: Final = 62
RIGHT: Final = 26
TOP: Final = 12
BOTTOM: Final = 34
HUES: Final = 8
"""Colours that the page's style names; more lines than this begin again."""
BAR_HEIGHT: Final = 22
BAR_LEFT: Final = 150
BAR_RIGHT: Final = 120
TICKS: Final = 5
FEW_TENFOLDS: Final = 150
NINES: Final = ((0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"))


class Scale(Struct, frozen=True, kw_only=True):
    """Values from `low` to `high` onto pixels."""

    low: float
    high: float
    from_px: float
    to_px: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        part = (at - low) / (high - low) if high > low else 0.0
        return self.from_px + part * (self.to_px - self.from_px)

    def ticks(self) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else even_ticks(self.low, self.high)


def even_ticks(low: float, high: float) -> list[float]:
    """A few round values from `low` to `high`."""
    if high <= low:
        return [low]
    raw = (high - low) / TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= raw)
    first = math.ceil(low / step)
    return [number_ * step for number_ in range(first, math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and between few of them their doubles and fives."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < FEW_TENFOLDS else (1,)
    found = [10.0**power * step for power in powers for step in steps]
    return [one for one in found if low <= one <= high]


def nines(part: float) -> float:
    """Where a percentile stands: each nine is as far again as the one before."""
    return -math.log10(max(1 - part, 1e-6))


def over_time(lines: Mapping[str, Points], unit: str) -> str:
    """Lines over seconds, from nothing up."""
    every = [point for points in lines.values() for point in points]
    if not every:
        return ""
    x = _across(0.0, max(at for at, _ in every) or 1.0)
    y = _upward(0.0, max(value for _, value in every) or 1.0, log=False)
    below = [(x(at), f"{at:g} s") for at in x.ticks()]
    return _plot(lines, x, y, below, unit)


def by_percentile(curves: Mapping[str, Points], unit: str) -> str:
    """Latency by percentile: what one in a hundred, in a thousand had to wait."""
    every = [value for points in curves.values() for _, value in points if value > 0]
    if not every:
        return ""
    deepest = max(part for points in curves.values() for part, _ in points if part < 1)
    end = nines(deepest) + 0.25
    drawn = {
        name: [(nines(part) if part < 1 else end, value) for part, value in points]
        for name, points in curves.items()
    }
    x = _across(0.0, end)
    y = _upward(min(every) * 0.9, max(every) * 1.1, log=True)
    marks = [(x(nines(part)), word) for part, word in NINES if part <= deepest]
    return _plot(drawn, x, y, [*marks, (x(end), "worst")], unit)


def bars(rows: Sequence[tuple[str, float]], unit: str, *, own: str) -> str:
    """One bar each on a scale of powers, for what differs a hundredfold; `own` stands out."""
    values = [value for _, value in rows if value > 0]
    if not values:
        return ""
    height = BAR_HEIGHT * len(rows)
    scale = Scale(
        low=min(values) / 3, high=max(values), from_px=BAR_LEFT, to_px=WIDTH - BAR_RIGHT, log=True
    )
    drawn = [
        _bar(name, value, scale, at=index * BAR_HEIGHT, unit=unit, own=name == own)
        for index, (name, value) in enumerate(rows)
    ]
    return _svg("".join(drawn), height)


def _bar(name: str, value: float, scale: Scale, *, at: int, unit: str, own: bool) -> str:
    end = max(scale(value), BAR_LEFT + 1.0)
    return (
        f'<text x="{BAR_LEFT - 8}" y="{at + 15}" class="end">{escape(name)}</text>'
        f'<rect x="{BAR_LEFT}" y="{at + 3}" width="{end - BAR_LEFT:.1f}" '
        f'height="{BAR_HEIGHT - 8}" rx="2" class="bar{" own" if own else ""}"/>'
        f'<text x="{end + 6:.1f}" y="{at + 15}">{number(value)} {escape(unit)}</text>'
    )


def _across(low: float, high: float) -> Scale:
    return Scale(low=low, high=high, from_px=LEFT, to_px=WIDTH - RIGHT)


def _upward(low: float, high: float, *, log: bool) -> Scale:
    return Scale(low=low, high=high, from_px=HEIGHT - BOTTOM, to_px=TOP, log=log)


def _plot(
    lines: Mapping[str, Points], x: Scale, y: Scale, below: Sequence[tuple[float, str]], unit: str
) -> str:
    grid = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}" class="grid"/>'
        f'<text x="{LEFT - 8}" y="{y(at) + 4:.1f}" class="end">{number(at)}</text>'
        for at in y.ticks()
    ]
    words = [
        f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" class="mid">{escape(word)}</text>'
        for at, word in below
    ]
    drawn = [
        _line(points, x, y, f"{name}, {unit}", index)
        for index, (name, points) in enumerate(lines.items())
    ]
    return _svg("".join([*grid, *words, *drawn]), HEIGHT) + legend(list(lines), unit)


def _line(points: Points, x: Scale, y: Scale, title: str, index: int) -> str:
    path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
    hue = index % HUES
    marks = [
        f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="5" class="mark h{hue}">'
        f"<title>{escape(title)}: {number(value)}</title></circle>"
        for at, value in points
    ]
    return f'<polyline points="{path}" class="line h{hue}"/>{"".join(marks)}'


def legend(names: Sequence[str], unit: str) -> str:
    items = [
        f'<span><i class="h{index % HUES}"></i>{escape(name)}</span>'
        for index, name in enumerate(names)
    ]
    return f'<p class="legend">{"".join(items)}<span class="unit">{escape(unit)}</span></p>'


def _svg(inside: str, height: float) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img">{inside}</svg>'
