"""The bounds of declared workflows, each with its reason, as in limits.py."""

from typing import Final

DECLARATION_STEPS_MAX: Final = 250
"""Steps of one declaration: which are done is kept in the state, a bit each."""
DECLARATION_OPEN_MAX: Final = 32
"""Tasks of one workflow that are open at once: their ids stand in the state. Others wait."""
DECLARATION_BYTES_MAX: Final = 256 * 1024
"""Of a declaration as JSON: it travels with every start."""
DECLARATION_DEPTH_MAX: Final = 32
"""Lists and objects within each other in the arguments of a step."""
DECLARATIONS_CACHED_MAX: Final = 1000
"""Declarations that an engine keeps decoded."""
VALUES_CACHED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Results and inputs of running workflows that an engine keeps: what it lost is read again."""
STARTS_PER_CALL_MAX: Final = 256
"""Starts of workflows in one call to an engine: a flight's worth."""
STARTS_BYTES_PER_CALL_MAX: Final = 3 * 1024 * 1024
"""The same in bytes, below the bound of a message; larger ones go each by itself."""
WAIT_MS_MAX: Final = 100 * 365 * 24 * 3600 * 1000
"""Of a sleep, or of a timeout: a hundred years. What is longer is a slip."""
