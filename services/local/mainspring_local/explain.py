"""`mainspring explain ID`: why something of the running stack does not move, over its API."""

import msgspec

from mainspring_local.client import Api
from mainspring_local.console import Console


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    text: str
    advice: str
    moving: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    moving: bool
    reasons: tuple[Reason, ...]


async def show(url: str, id_: str, console: Console, *, org: str) -> None:
    """Prints its state, then each reason with what to do. Raises StartProblem."""
    async with Api(url, org=org) as api:
        found = await api.get(f"/durable/explain/{id_}", Explanation)
    for line in lines(id_, found):
        console.raw(line)


def lines(id_: str, found: Explanation) -> list[str]:
    ended = any(reason.code == "ended" for reason in found.reasons)
    moves = "" if ended else ", it goes on by itself"
    head = moves if found.moving else ", it waits for somebody"
    told = [f"{id_}: {found.state}{head}"]
    for reason in found.reasons:
        told.append(f"  {reason.code:<16} {reason.text}")
        if reason.advice:
            told.append(f"  {'':<16} {reason.advice}")
    return told
