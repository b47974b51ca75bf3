"""What operators read and write, over the tables of a memory store and under its lock."""

from contextlib import AbstractContextManager

from mainspring_engine.adapters.memory.inspection import MemoryInspection
from mainspring_engine.adapters.memory.letters import MemoryLetters
from mainspring_engine.adapters.memory.registry import MemoryRegistry
from mainspring_engine.adapters.memory.snapshots import MemorySnapshots
from mainspring_engine.adapters.memory.store import MemoryStore
from mainspring_engine.ports.backstage import Backstage
from mainspring_kernel.clock import Clock


def memory_backstage(
    store: MemoryStore, *, lock: AbstractContextManager[object], clock: Clock
) -> Backstage:
    """`lock` and `clock` are those of the store."""
    registry = MemoryRegistry(lock, store.tables, clock)
    inspection = MemoryInspection(lock, store.tables, clock, registry)
    letters = MemoryLetters(lock, store.tables, clock)
    return Backstage(
        registry=registry,
        inspection=inspection,
        letters=letters,
        snapshots=MemorySnapshots(
            store, clock, registry=registry, inspection=inspection, letters=letters
        ),
    )
