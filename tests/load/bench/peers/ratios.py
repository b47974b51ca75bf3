"""Our figures beside those of the peers: pairs, ratios and what each may be compared by."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from tests.load.bench.peers.driver import OWN
from tests.load.bench.peers.traits import TRAITS
from tests.load.bench.report import number, table
from tests.load.bench.targets import at_most

NAMES: Final = tuple(TRAITS)
PEER: Final = "peer_"
"""What the keys of others' figures begin with."""
MEASURED: Final[dict[str, tuple[str, str]]] = {
    "dispatch_idle_p50_ms": ("Submit to handler, idle, P50", "ms"),
    "dispatch_idle_p99_ms": ("Submit to handler, idle, P99", "ms"),
    "tasks_per_s": ("Tasks per second", "tasks/s"),
    "steps_per_s_c32": ("Durable steps per second, 32 workflows", "steps/s"),
    "workflow3_p50_ms": ("A workflow of three steps, P50", "ms"),
}
"""Figure → its title and unit. A peer without the notion has no such key."""


class Group(Struct, frozen=True, kw_only=True):
    """One figure of everyone; `rows` begins with ours."""

    key: str
    title: str
    unit: str
    rows: list[tuple[str, float]]

    @property
    def note(self) -> str:
        way = "less is better" if at_most(self.key) else "more is better"
        return f"{way}; each tenfold is as long as the next"


def key_of(peer: str, figure: str) -> str:
    return f"{PEER}{peer}_{figure}"


def ratio(figure: str, ours: float, theirs: float) -> float:
    """How many times better ours is; below 1 we lose."""
    return theirs / ours if at_most(figure) else ours / theirs


def ratios(figures: Mapping[str, float]) -> dict[str, float]:
    """`peer_<name>_<figure>_ratio` of each pair that was measured."""
    return {
        f"{key_of(peer, figure)}_ratio": ratio(figure, figures[figure], theirs)
        for figure in MEASURED
        for peer in NAMES
        if figures.get(figure) and (theirs := figures.get(key_of(peer, figure)))
    }


def groups(figures: Mapping[str, float]) -> list[Group]:
    """Of what at least one peer has."""
    found: list[Group] = []
    for figure, (title, unit) in MEASURED.items():
        own = [(OWN, figures[figure])] if figure in figures else []
        theirs = [
            (peer, figures[key_of(peer, figure)])
            for peer in NAMES
            if key_of(peer, figure) in figures
        ]
        if theirs:
            found.append(Group(key=figure, title=title, unit=unit, rows=[*own, *theirs]))
    return found


def render(figures: Mapping[str, float]) -> str:
    """Each pair with its ratio, losses first named as such."""
    rows = [
        [figure, peer, number(ours), number(theirs), f"x {one:.2f}", "" if one >= 1 else "WE LOSE"]
        for figure in MEASURED
        for peer in NAMES
        if (ours := figures.get(figure)) and (theirs := figures.get(key_of(peer, figure)))
        for one in [ratio(figure, ours, theirs)]
    ]
    return table(["figure", "peer", "ours", "theirs", "better by", ""], rows) if rows else ""
