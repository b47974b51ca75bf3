"""`mainspring org`: organizations of a running stack, over its API."""

from mainspring_local.client import Api
from mainspring_local.console import Console


async def create(url: str, name: str, console: Console) -> None:
    """Makes one and prints its id alone, for scripts. Raises StartProblem."""
    async with Api(url) as api:
        console.raw(await api.create("/orgs", {"name": name}))
