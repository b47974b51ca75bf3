"""Routes: which workers a task is for, and what may hold it back. Claims compare by equality."""

from typing import Final

from msgspec import Struct

from mainspring_schema.frames import Attach

KEY: Final = "key/"
"""What a key that a task was given begins with here; its limits are asked for by it."""
CIRCUIT: Final = "circuit/"
"""And the circuit that it named."""
_BETWEEN: Final = "\n"


class Route(Struct, frozen=True, array_like=True):
    """`capability` is "" for plain work.

    `build` "" runs on any; `model` is provider and model, for circuits. `keys` are those that its
    tasks were given, sorted, and the circuit that they named, each with what it begins with here.

    Interned by the store to a small number, which is what the ready index holds.
    """

    queue: str = "default"
    capability: str = ""
    build: str = ""
    model: str = ""
    keys: tuple[str, ...] = ()

    @property
    def circuit(self) -> str:
        """Whose circuit may shut it, and is told of its answers; "" for none."""
        if not self.keys:
            return self.model
        return next((key for key in self.keys if key.startswith(CIRCUIT)), self.model)

    @property
    def without_keys(self) -> "Route":
        """For whom its tasks are, whatever may hold them back."""
        return Route(self.queue, self.capability, self.build, self.model) if self.keys else self

    @property
    def names(self) -> tuple[str, str, str, str]:
        """As rows and wake-ups have it: an engine that knows no keys sees a model of its own."""
        gates = _BETWEEN.join((self.model, *self.keys)) if self.keys else self.model
        return self.queue, self.capability, self.build, gates

    @classmethod
    def named(cls, queue: str, capability: str, build: str, gates: str) -> "Route":
        """The route that has these `names`."""
        model, *keys = gates.split(_BETWEEN)
        return cls(queue, capability, build, model, tuple(keys))


def keys_under(keys: tuple[str, ...], circuit: str) -> tuple[str, ...]:
    """A route's `keys`, from what a caller gave."""
    if not keys and not circuit:
        return ()
    named = {f"{KEY}{key}" for key in keys}
    if circuit:
        named.add(f"{CIRCUIT}{circuit}")
    return tuple(sorted(named))


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


def offer_of(attach: Attach) -> Offer:
    return Offer(
        queues=frozenset(attach.queues),
        capabilities=frozenset(attach.capabilities),
        build=attach.build,
    )


def given_in(keys: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """What `keys_under` was given: keys and circuit."""
    circuit = next((key.removeprefix(CIRCUIT) for key in keys if key.startswith(CIRCUIT)), "")
    return tuple(key.removeprefix(KEY) for key in keys if key.startswith(KEY)), circuit
