"""Bounds of what people may say in structs of this library, checked at the door and inside."""

from typing import Final

CRON_CHARS_MAX: Final = 200
"""Six fields with lists; a longer expression is no longer read by anybody."""
SCHEDULE_INTERVAL_MS_MIN: Final = 1000
"""A slot is a row and a turn: what must come more often is no schedule."""
SCHEDULE_INTERVAL_MS_MAX: Final = 100 * 366 * 24 * 3600 * 1000
"""A century: sums of it stay within what a time can be written as."""
CATCH_UP_S_MIN: Final = 10
"""Below it a healthy scheduler's own pace and one retry would already miss slots."""
CATCH_UP_S_DEFAULT: Final = 3600
"""An hour's outage is made up for; after that most work is about a moment that has gone."""
CATCH_UP_S_MAX: Final = 366 * 24 * 3600
"""A year, so that a yearly slot can be made up for at all."""
JITTER_S_MAX: Final = 24 * 3600
"""A day: beyond it a slot says nothing about when it comes."""
