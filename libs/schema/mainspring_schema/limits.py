"""Bounds of what a tool asks of its session's resources, known to both ends."""

from typing import Final

from mainspring_kernel.limits import MIB

WORKSPACE_FILES_MAX: Final = 10_000
"""Files and directories that workers may fill a workspace with; listing all stays a second."""
HELD_LISTING_ROWS_MAX: Final = 2_000
"""Entries of one answer to a worker: at the longest paths still one rpc message."""
HELD_READ_BYTES_MAX: Final = 3 * MIB
"""Content in one answer to a worker, or in one change: with its envelope one rpc message."""
FILE_CHANGES_MAX: Final = 1_000
"""Changes of one order: they share a transaction, which holds its locks meanwhile."""
FILE_EDITS_MAX: Final = 100
"""Replacements of one edit; each reads the whole text once."""
