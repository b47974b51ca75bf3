"""The bounds of tools that workers announce, each with its reason, as in limits.py."""

from typing import Final

TOOLSET_TOOLS_MAX: Final = 128
"""Of one toolset: more than a model can choose from."""
TOOLSET_BYTES_MAX: Final = 256 * 1024
"""Of an announcement: it travels with an attach, and again with each agent that has the tools."""
TOOLSET_NEEDS_MAX: Final = 32
"""Capabilities that one toolset brings along, features and facts that it states: each list."""
ANNOUNCED_CALL_S_DEFAULT: Final = 120.0
"""How long a call may take where its tool says nothing; as of the tools that come along."""
ANNOUNCED_CALL_S_MAX: Final = 3600.0
"""A turn waits for it: what takes longer is a workflow that a tool starts."""
ANNOUNCED_PROBE_S: Final = 30.0
"""How long a probe may look for what became of a lost call; after it the call ends unknown."""
ANNOUNCED_RESULT_PLAIN_BYTES_MAX: Final = 1024
"""A longer result may be over what an agent's configuration lets stand in an event: a worker of
the house reads it first, which is one task more."""
ANNOUNCED_ERROR_CHARS_MAX: Final = 2000
"""Of what a tool tells the model of its failure."""
ANNOUNCED_PROGRESS_CHARS_MAX: Final = 2000
"""Of a line that people see while a call is under way."""
MOUNTS_MAX: Final = 64
"""Files that one capability brings: each is a row of every workspace that has it."""
MOUNTS_BYTES_MAX: Final = 1024 * 1024
"""Of all of them together, for they are copied into every such workspace."""
