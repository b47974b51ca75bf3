"""The bounds of declared workflows, each with its reason, as in limits.py."""

from typing import Final

DECLARATION_STEPS_MAX: Final = 250
"""Steps of one declaration: which are done is kept in the state, a bit each."""
DECLARATION_BYTES_MAX: Final = 256 * 1024
"""Of a declaration as JSON: it travels with every start."""
DECLARATION_DEPTH_MAX: Final = 32
"""Lists and objects within each other in the arguments of a step."""
WAIT_MS_MAX: Final = 100 * 365 * 24 * 3600 * 1000
"""Of a sleep, or of a timeout: a hundred years. What is longer is a slip."""
