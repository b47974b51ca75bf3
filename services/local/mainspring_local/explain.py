"""`mainspring explain ID`: why something of the running stack does not move, over its API."""

from typing import Final
from urllib.parse import quote

import msgspec

from mainspring_local.client import Api
from mainspring_local.console import Console
from mainspring_local.errors import Refused, StartProblem

_AT_REST: Final = frozenset({"ended", "closed", "idle"})
"""Reasons why nothing is at work, and nothing is wrong: there is nothing that could go on."""


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
        found = await explained(api, id_)
    for line in lines(id_, found):
        console.raw(line)


async def explained(api: Api, id_: str) -> Explanation:
    """Raises StartProblem."""
    try:
        return await api.get(f"/durable/explain/{quote(id_, safe='')}", Explanation)
    except Refused as refused:
        message = f"{id_} cannot be explained: {refused.detail}"
        raise StartProblem(message) from refused


def lines(id_: str, found: Explanation) -> list[str]:
    rests = any(reason.code in _AT_REST for reason in found.reasons)
    moves = "" if rests else ", it goes on by itself"
    head = moves if found.moving else ", it waits for somebody"
    told = [f"{id_}: {found.state}{head}"]
    for reason in found.reasons:
        told.append(f"  {reason.code:<16} {reason.text}")
        if reason.advice:
            told.append(f"  {'':<16} {reason.advice}")
    return told
