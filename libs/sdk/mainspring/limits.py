"""Bounds that only a worker of people's code knows; shared ones are in `mainspring_kernel`."""

from typing import Final

WARM_GOES_DEFAULT: Final = 256
"""Workflows at rest that a worker keeps where their code waits. Each holds what its code holds: a
few KiB of ours, and the user's own values."""
WARM_PLACES_MAX: Final = 200_000
"""Places that all of these have passed together: about 20 MB of names."""
