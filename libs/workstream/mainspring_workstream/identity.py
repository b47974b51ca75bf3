"""Who a worker is to its engines."""

from uuid import UUID

from msgspec import Struct

from mainspring_kernel.limits import DISPLAY_NAME_CHARS_MAX
from mainspring_schema.frames import Attach, Held


class Identity(Struct, frozen=True, kw_only=True):
    """Who this worker is, for as long as its process lives.

    Raises ValueError for what no engine takes: it would refuse the worker again and again.
    """

    incarnation: UUID
    name: str
    build: str
    queues: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int
    toolset: bytes = b""

    def __post_init__(self) -> None:
        if self.slots < 1:
            message = f"slots={self.slots}: with none a worker is given nothing, so 1 at least"
            raise ValueError(message)
        for text in (self.name, self.build, *self.queues, *self.capabilities):
            if len(text) > DISPLAY_NAME_CHARS_MAX:
                message = (
                    f"{text[:DISPLAY_NAME_CHARS_MAX]}…: a name, build, queue or capability has at "
                    f"most {DISPLAY_NAME_CHARS_MAX} characters"
                )
                raise ValueError(message)

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
