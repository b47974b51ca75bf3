"""Bounds of what a provider is asked beside model calls, each with its reason, as in limits.py."""

from typing import Final

PROVIDER_MODELS_MAX: Final = 1_000
"""Of one provider's list: as many as an organization may have; the largest have some hundreds."""
SYNC_START_MS: Final = 8_000
"""How long a list waits for a free worker: somebody waits for it."""
SYNC_LIST_MS: Final = 15_000
"""How long the provider has for all of its list: providers need a second."""
SYNC_WAIT_S: Final = 26.0
"""Both, and the ways between; below the time for which a request holds its key."""
