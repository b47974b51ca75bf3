"""The rows in dictionaries, for `dev`, the simulator and tests; one event loop takes the place of
row locks.
"""

from mainspring_scheduler.adapters.memory.duties import MemoryDutyStore
from mainspring_scheduler.adapters.memory.schedules import MemoryScheduleStore
from mainspring_scheduler.adapters.memory.targets import MemoryTargets

__all__ = ["MemoryDutyStore", "MemoryScheduleStore", "MemoryTargets"]
