"""Bounds of how records of workflows are removed."""

from typing import Final

EXAMINED_PAGE: Final = 500
"""Workflows looked at in one statement: a range of a key, and some milliseconds."""
EXAMINED_PAGES_MAX: Final = 40
"""Of them in one pass, a second's work. It says that there is more and comes again soon, until all
workflows were looked at; then in an hour."""
RECORDS_PER_TRIM_MAX: Final = 5_000
"""Rows that one transaction removes: short, and little to repeat."""
RECORDS_PER_PASS_MAX: Final = 50_000
"""What one pass removes; it says that there is more, and comes again soon."""
