"""The bounds of declared workflows, each with its reason, as in limits.py."""

from typing import Final

DECLARATION_STEPS_MAX: Final = 250
"""Steps of one declaration: which are done is kept in the state, a bit each."""
DECLARATION_BYTES_MAX: Final = 256 * 1024
"""Of a declaration as JSON: it travels with every start."""
DECLARATION_DEPTH_MAX: Final = 32
"""Lists and objects within each other in the arguments of a step."""
DECLARATION_REFERENCES_MAX: Final = 4000
"""Of one declaration, to its input and to its steps: 16 for each step. A decision follows all that
a step or the result has, which takes milliseconds in which nothing else of its engine moves."""
DECLARATION_PATH_MAX: Final = 32
"""Parts of the path of a reference, as of the depth above: the value is gone through for each."""
WAIT_MS_MAX: Final = 100 * 365 * 24 * 3600 * 1000
"""Of a sleep, or of a timeout: a hundred years. What is longer is a slip."""
