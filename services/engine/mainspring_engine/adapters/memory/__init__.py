"""The engine's store in memory: dictionaries under one lock, the same statuses as in Postgres."""

from mainspring_engine.adapters.memory.backstage import memory_backstage
from mainspring_engine.adapters.memory.gates import MemoryGates
from mainspring_engine.adapters.memory.store import MemoryStore

__all__ = ["MemoryGates", "MemoryStore", "memory_backstage"]
