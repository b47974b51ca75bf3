"""The bounds of plain tasks, each with its reason, as in limits.py."""

from typing import Final

PLAIN_TASKS_PER_CALL_MAX: Final = 500
"""Plain tasks of one call: one statement's worth; more gain nothing, and hold up the next."""
PLAIN_TASKS_WAITING_MAX: Final = 10_000
"""Plain tasks that wait in one engine to be inserted; the next call gets 429."""
PLAIN_RETRY_MS_MAX: Final = 24 * 3600 * 1000
"""The longest wait between two attempts of a plain task."""
START_WITHIN_MS_MAX: Final = 30 * 24 * 3600 * 1000
"""The longest time in which a task is to be taken by a worker: a row waits as long."""
