"""Wake-ups: hints that say "look now". Losing or doubling one changes nothing."""

from uuid import UUID

from msgspec import Struct


class ReadyTasks(Struct, frozen=True, array_like=True):
    """Tasks of these routes became ready; `first` is the lowest id among them.

    A route is (queue, capability, build, model).
    """

    routes: tuple[tuple[str, str, str, str], ...]
    first: UUID


class CancelMarked(Struct, frozen=True, array_like=True):
    """These leased tasks were marked for cancellation; `incarnations` hold them."""

    incarnations: tuple[UUID, ...]
