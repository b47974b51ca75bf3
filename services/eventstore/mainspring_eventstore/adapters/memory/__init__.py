"""The log in memory: `MemoryLog` for the grants, `MemoryStore` for the event store itself."""

from mainspring_eventstore.adapters.memory.log import MemoryLog
from mainspring_eventstore.adapters.memory.store import MemoryStore

__all__ = ["MemoryLog", "MemoryStore"]
