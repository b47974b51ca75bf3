"""Bounds of this service alone."""

from typing import Final

AGENT_VERSIONS_MAX: Final = 1_000
"""Of one agent: a list of all is one answer."""

NAMES_TRIED_MAX: Final = 100
"""Numbers behind the name of a copy, before its maker has to say a name."""

STATS_SESSIONS_MAX: Final = 1_000
"""The newest sessions whose logs the figures of an agent are added up from, one read for each."""

STATS_READS_AT_ONCE_MAX: Final = 8
"""Of these reads: others wait for the event store, too."""

HEALTH_CHECKS_KEPT_MAX: Final = 50
"""Of one agent: they are looked at for how it does now; the oldest goes."""
