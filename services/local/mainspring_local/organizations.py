"""`mainspring org`: organizations of a running stack, over its API."""

import msgspec

from mainspring_local.client import Api
from mainspring_local.console import Console


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


async def create(url: str, name: str, console: Console) -> None:
    """Makes one and prints its id alone, for scripts. Raises StartProblem."""
    async with Api(url) as api:
        console.raw(await api.create("/orgs", {"name": name}))


async def show(url: str, console: Console) -> None:
    """Prints each with its id, oldest first. Raises StartProblem."""
    async with Api(url) as api:
        async for one in api.every("/orgs", Organization):
            console.raw(f"{one.id}  {one.name}")
