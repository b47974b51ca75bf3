"""Two reports side by side: what became better, what became worse, and what says nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from tests.load.bench.report import Report, number, table
from tests.load.bench.targets import at_most

NOISE_PART: Final = 0.05
"""Two measurements of the same code on the same machine differ by this much as a rule."""


class Change(Struct, frozen=True, kw_only=True):
    """`factor` is the new by the old one; `gain` is above 0 where it became better."""

    key: str
    before: float
    after: float

    @property
    def factor(self) -> float | None:
        return self.after / self.before if self.before else None

    @property
    def gain(self) -> float | None:
        """None where neither way is better, or nothing was there before."""
        less = at_most(self.key)
        if less is None or self.factor is None:
            return None
        return 1 - self.factor if less else self.factor - 1

    def verdict(self, noise: float = NOISE_PART) -> str:
        if self.gain is None:
            return ""
        if abs(self.gain) <= noise:
            return "same"
        return "better" if self.gain > 0 else "WORSE"


def changes(before: Mapping[str, float], after: Mapping[str, float]) -> list[Change]:
    """Of the keys that both have, in the order of the newer one."""
    return [
        Change(key=key, before=before[key], after=value)
        for key, value in after.items()
        if key in before
    ]


def worse(found: Sequence[Change], by: float) -> list[str]:
    """Keys that lost more than this part."""
    return [one.key for one in found if one.gain is not None and one.gain < -by]


def gone(before: Report, after: Report) -> list[str]:
    """What the same settings brought and bring no more; other settings need not bring it."""
    if before.settings != after.settings:
        return []
    return sorted(before.figures.keys() - after.figures.keys())


def render(before: Report, after: Report) -> str:
    found = changes(before.figures, after.figures)
    blocks = [
        f"{before.commit or '?'} → {after.commit or '?'}",
        machines(before, after),
        _table(found) if found else "the reports have no figure in common",
        _only("only in the first", before.figures.keys() - after.figures.keys()),
        _only("only in the second", after.figures.keys() - before.figures.keys()),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def machines(before: Report, after: Report) -> str:
    """What differs under the figures: a busier hour, another machine, other settings."""
    lines = [
        f"the machine itself: {one.key} {number(one.before)} → {number(one.after)}"
        for one in changes(before.calibration, after.calibration)
        if one.factor is not None and abs(one.factor - 1) > NOISE_PART
    ]
    for kind, one, other in (
        ("machine", before.machine, after.machine),
        ("versions", before.versions, after.versions),
        ("settings", before.settings, after.settings),
    ):
        told = [
            f"{name} {one[name]} → {other[name]}"
            for name in sorted(one.keys() & other.keys())
            if one[name] != other[name]
        ]
        lines += [f"{kind}: {', '.join(told)}"] if told else []
    return "\n".join(lines)


def _table(found: Sequence[Change]) -> str:
    rows = [
        [
            one.key, number(one.before), number(one.after),
            "" if one.factor is None else f"x {one.factor:.2f}", one.verdict(),
        ]
        for one in found
    ]  # fmt: skip
    return table(["figure", "before", "after", "", ""], rows)


def _only(title: str, keys: set[str]) -> str:
    return f"{title}: {', '.join(sorted(keys))}" if keys else ""
