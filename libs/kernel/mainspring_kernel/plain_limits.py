"""The bounds of plain tasks, each with its reason, as in limits.py."""

from typing import Final

PLAIN_TASKS_PER_CALL_MAX: Final = 500
"""Plain tasks of one call: one statement's worth; more gain nothing, and hold up the next."""
PLAIN_TASKS_PER_FLIGHT_MAX: Final = 1000
"""Plain tasks inserted by one statement, of as many calls as fit."""
PLAIN_TASKS_WAITING_MAX: Final = 10_000
"""Plain tasks that wait in one engine to be inserted; the next call gets 429."""
PLAIN_FAILURES_MAX: Final = 1000
"""Failed attempts of a plain task, whatever its own policy says: days of them."""
PLAIN_RETRY_MS_MAX: Final = 24 * 3600 * 1000
"""The longest wait between two attempts of a plain task."""
START_WITHIN_MS_MAX: Final = 30 * 24 * 3600 * 1000
"""The longest time in which a task is to be taken by a worker: a row waits as long."""
CLOSED_WINDOW_MAX: Final = 2000
"""Tasks, whosever, that one page of ended ones reads through: no index leads to them, for it would
cost every task of the hot path."""
PLAIN_AGE_MS_MAX: Final = 12 * 3600 * 1000
"""How old an id may be that a caller made: rows are kept by the weeks of their ids, and the week
before may be closed. Whoever repeats a submit does it sooner."""
PLAIN_AHEAD_MS_MAX: Final = 3600 * 1000
"""And how far ahead of the engine's clock."""
