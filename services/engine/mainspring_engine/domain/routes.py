"""Routes: for whom a task is. Claimability is an equality on the route."""

from msgspec import Struct


class Route(Struct, frozen=True, array_like=True):
    """`capability` is "" for plain work.

    `build` "" runs on any; `model` is provider and model, for circuits.

    Interned by the store to a small number, which is what the ready index holds.
    """

    queue: str = "default"
    capability: str = ""
    build: str = ""
    model: str = ""


class Offer(Struct, frozen=True, kw_only=True):
    """What a worker can take."""

    queues: frozenset[str]
    capabilities: frozenset[str]
    build: str

    def serves(self, route: Route) -> bool:
        return (
            route.queue in self.queues
            and route.capability in self.capabilities
            and route.build in ("", self.build)
        )
