"""What pg_stat_statements says about a stretch of work, the idle part taken out."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

NOISE_CALLS: Final = 0.005
"""Calls per turn below this are what chance left over of the idle rate."""


class Statement(Struct, frozen=True, kw_only=True):
    """One statement of one role, summed since the last reset."""

    role: str
    query: str
    toplevel: bool
    calls: int
    exec_ms: float
    blocks: int


class Dead(Struct, frozen=True, kw_only=True):
    """One table's rows that nobody sees any more, and how its updates went."""

    name: str
    dead: int
    live: int
    updated: int
    updated_hot: int


class PerTurn(Struct, frozen=True, kw_only=True):
    role: str
    query: str
    calls: float
    exec_ms: float
    blocks: float


Key = tuple[str, str, bool]
Snapshot = Mapping[Key, Statement]


def snapshot(rows: Iterable[Statement]) -> dict[Key, Statement]:
    """By role, text and level; the server keeps equal texts apart by their parse trees."""
    found: dict[Key, Statement] = {}
    for row in rows:
        key = (row.role, " ".join(row.query.split()), row.toplevel)
        known = found.get(key)
        found[key] = row if known is None else _sum(known, row, 1)
    return found


def since(before: Snapshot, after: Snapshot) -> dict[Key, Statement]:
    """What came between two snapshots without a reset in between."""
    return {
        key: row if key not in before else _sum(row, before[key], -1) for key, row in after.items()
    }


def calls_per_s(rows: Snapshot, seconds: float, *, toplevel: bool = True) -> float:
    return sum(row.calls for row in rows.values() if row.toplevel == toplevel) / seconds


def per_turn(
    busy: Snapshot, busy_s: float, idle: Snapshot, idle_s: float, turns: int
) -> list[PerTurn]:
    """Most calls first. The idle rate goes on under load, so its share is no turn's doing."""
    found: list[PerTurn] = []
    for key, row in busy.items():
        still = idle.get(key)
        share = busy_s / idle_s if still is not None else 0.0
        idle_calls, idle_ms, idle_blocks = (
            (still.calls, still.exec_ms, still.blocks) if still is not None else (0, 0.0, 0)
        )
        found.append(
            PerTurn(
                role=row.role,
                query=key[1],
                calls=max(0.0, row.calls - idle_calls * share) / turns,
                exec_ms=max(0.0, row.exec_ms - idle_ms * share) / turns,
                blocks=max(0.0, row.blocks - idle_blocks * share) / turns,
            )
        )
    found = [one for one in found if one.calls >= NOISE_CALLS]
    return sorted(found, key=lambda one: (-one.calls, -one.exec_ms, one.query))


def of_level(rows: Snapshot, *, toplevel: bool) -> dict[Key, Statement]:
    return {key: row for key, row in rows.items() if row.toplevel == toplevel}


def _sum(one: Statement, other: Statement, sign: int) -> Statement:
    return Statement(
        role=one.role,
        query=one.query,
        toplevel=one.toplevel,
        calls=one.calls + sign * other.calls,
        exec_ms=one.exec_ms + sign * other.exec_ms,
        blocks=one.blocks + sign * other.blocks,
    )
