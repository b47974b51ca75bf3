"""Bounds that only the event store knows; those that others share stand in the kernel's limits."""

from typing import Final

from mainspring_kernel.limits import MIB

LANES: Final = 2
"""Delta flights in the air per process; each is one short transaction on two cores."""
LANE_FRAGMENTS_MAX: Final = 20_000
"""Fragments waiting in one lane: about half a minute of 50 fast streams; above it 429."""
READ_BYTES_MAX: Final = 2 * MIB
"""Of one Read, whose rows are bounded too; it holds at least one, whatever its size."""
SCAN_PAGE_ROWS: Final = 500
"""Events looked at together where payloads decide a listing."""
VERIFY_PAGE_ROWS: Final = 500
"""Events hashed between two looks at the loop."""
LINEAGE_DEPTH_MAX: Final = 64
"""Forks of forks that are followed."""
PARTITIONS_WARN_MS: Final = 7 * 86_400_000
"""Less than this ahead means that upkeep did not run."""
DELTA_RETENTION_S: Final = 3600
"""How long deltas are kept after their message closed; then the full text stands in the event."""
SWEEP_TURNS_MAX: Final = 500
"""Turns whose deltas one pass looks at."""
SWEEP_ROWS_MAX: Final = 20_000
"""Deltas that one pass deletes."""
SWEEPS_PER_UPKEEP_MAX: Final = 20
"""Of them in one upkeep: some seconds' work, far below its timeout; it says that there is more."""
ANCHOR_CHARS_MAX: Final = 256
"""An anchor's wire id or a provider's tool call id, with its channel; they are keys in the head."""
INT4_MAX: Final = (1 << 31) - 1
"""What the columns for attempts and offsets hold: a text of two billion characters."""
INT8_MAX: Final = (1 << 63) - 1
"""What the columns for sequences and times hold."""
