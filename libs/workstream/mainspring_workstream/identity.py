"""Who a worker is to its engines."""

from uuid import UUID

from msgspec import Struct

from mainspring_schema.frames import Attach, Held


class Identity(Struct, frozen=True, kw_only=True):
    """Who this worker is, for as long as its process lives."""

    incarnation: UUID
    name: str
    build: str
    queues: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int
    toolset: bytes = b""

    def attach(self, number: int, held: tuple[Held, ...]) -> Attach:
        """The claim to be this worker's newest stream."""
        return Attach(
            incarnation=self.incarnation,
            attach_number=number,
            name=self.name,
            build=self.build,
            queues=self.queues,
            capabilities=self.capabilities,
            slots=self.slots,
            held=held,
            toolset=self.toolset,
        )
