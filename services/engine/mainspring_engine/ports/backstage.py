"""What operators read and write, beside the store that carries the turns."""

from typing import NamedTuple

from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.ports.letters import Letters
from mainspring_engine.ports.registry import Registry
from mainspring_engine.ports.snapshots import Snapshots


class Backstage(NamedTuple):
    """All of one store: Postgres, or the memory twin."""

    registry: Registry
    inspection: Inspection
    letters: Letters
    snapshots: Snapshots
