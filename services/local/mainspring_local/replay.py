"""`mainspring replay SESSION`: whether a session's log still says what its models were asked."""

from collections import Counter

import msgspec

from mainspring_local.client import Api
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem

MATCHES, DIFFERS = "matches", "differs"
STATUSES = (MATCHES, DIFFERS, "unknown")
COLUMNS = "{:<38} {:>8}  {:<8} {}"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A model call; `sequence` is that of the event that recorded it."""

    sequence: int
    status: str
    turn_id: str | None = None
    recorded_hash: str = ""
    rebuilt_hash: str = ""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    calls: tuple[Call, ...]


async def show(url: str, session_id: str, console: Console, *, turn: str, org: str) -> bool:
    """Prints what differs and how many do not; whether none does. Raises StartProblem."""
    async with Api(url, org=org) as api:
        found = await api.get(f"/sessions/{session_id}/replay", Replay)
    calls = [call for call in found.calls if turn in ("", call.turn_id)]
    if turn and not calls:
        raise StartProblem(f"{turn} has no model call in {session_id}")
    for line in lines(calls):
        console.raw(line)
    console.say(f"{session_id}: {counted(calls)}")
    return all(call.status != DIFFERS for call in calls)


def lines(calls: list[Call]) -> list[str]:
    """What does not match; a call that nobody can rebuild is told, and is no difference."""
    told = [
        COLUMNS.format(call.turn_id or "-", call.sequence, call.status, _hashes(call))
        for call in calls
        if call.status != MATCHES
    ]
    return [COLUMNS.format("turn", "sequence", "", "recorded, rebuilt"), *told] if told else []


def _hashes(call: Call) -> str:
    return f"{call.recorded_hash or '-'} {call.rebuilt_hash or '-'}"


def counted(calls: list[Call]) -> str:
    counts = Counter(call.status for call in calls)
    told = (f"{counts[status]} {status}" for status in STATUSES)
    return f"model calls: {', '.join(told)}"
