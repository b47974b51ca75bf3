"""What a process can tell about itself when it is asked: values that are kept anyway.

A source is asked at each scrape and each export, on whatever thread does it, so it only looks at
what stands in memory.
"""

import logging
from collections.abc import Callable, Iterable

import msgspec

from mainspring_kernel.tally import Spread
from mainspring_runtime.names import Attributes, Instrument


class Reading(msgspec.Struct, frozen=True):
    """One series as it stands now: a gauge's or counter's value, or a histogram's distribution."""

    instrument: Instrument
    value: float | Spread
    attributes: Attributes = {}


Source = Callable[[], Iterable[Reading]]
_log = logging.getLogger(__name__)


class Sources:
    """All that a process can tell."""

    def __init__(self) -> None:
        self._sources: list[Source] = []

    def watch(self, source: Source) -> None:
        """Asks this one as well from now on."""
        self._sources.append(source)

    def read(self) -> list[Reading]:
        """What they say now. One that fails is left out, and hides nothing of the others."""
        found: list[Reading] = []
        for source in tuple(self._sources):
            try:
                found += source()
            except Exception:  # noqa: BLE001 - whoever measures must not lose the rest; logged
                _log.exception("a source of metrics failed")
        return found
