"""Bounds that only an engine knows; the shared ones stand in `mainspring_kernel.limits`."""

from typing import Final

from mainspring_kernel.limits import MIB

WORKFLOW_SIGNALS_MAX: Final = 1000
"""Signals of one workflow that nothing took yet; the next gets 429."""
WORKFLOW_HELD_RETRY_S: Final = 5.0
"""How soon a held workflow is tried again: a worker with code that fits may have come. Grows."""
WORKFLOW_HELD_RETRY_S_MAX: Final = 900.0
"""What that grows to."""
HISTORY_PAGE_ROWS_MAX: Final = 500
"""Recorded steps in one answer to a worker."""
HISTORY_PAGE_BYTES_MAX: Final = 1 * MIB
"""The same in bytes, for a frame; an answer holds one step at least."""
ALARM_GRAIN_MS: Final = 20
"""An engine looks at what it made due itself so soon after it; all within a grain is one look."""
ALARMS_MAX: Final = 100_000
"""Alarms that one engine keeps in memory; what is due beyond them is found by the sweep."""
