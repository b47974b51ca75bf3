"""Bounds of what people may say in structs of this library, checked at the door and inside."""

from typing import Final

from mainspring_kernel.limits import MIB

PATH_BYTES_MAX: Final = 1024
"""Of a file of a workspace: it is a part of a key."""
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

# ── what a tool asks of its session's resources ─────────────────────────────────────────────────

WORKSPACE_FILES_MAX: Final = 10_000
"""Files and directories that workers may fill a workspace with; listing all stays a second."""
HELD_LISTING_ROWS_MAX: Final = 2_000
"""Entries of one answer to a worker: at the longest paths still one rpc message."""
HELD_READ_BYTES_MAX: Final = 3 * MIB
"""Content in one answer to a worker, or in one change: with its envelope one rpc message."""
FILE_CHANGES_MAX: Final = 1_000
"""Changes of one order: they share a transaction, which holds its locks meanwhile."""
FILE_EDITS_MAX: Final = 100
"""Replacements of one edit; each reads the whole text once."""

# ── what a session keeps beside its files ───────────────────────────────────────────────────────

STORED_VALUES_MAX: Final = 200
"""Of one session: a list of all is one answer."""
STORED_VALUE_BYTES_MAX: Final = 16 * 1024
"""Of one value: what is larger is a file. All values of a session still are one answer."""
STORED_KEY_CHARS_MAX: Final = 200
"""A name, not a place to put things in."""

# ── MCP servers ─────────────────────────────────────────────────────────────────────────────────

MCP_SERVERS_PER_AGENT_MAX: Final = 16
"""Each is asked before a session's first model call, and each may take its time."""
MCP_PINS_MAX: Final = 2 * MCP_SERVERS_PER_AGENT_MAX
"""Of a session: one that migrates may name other servers than before."""
MCP_TOOLS_PER_SERVER_MAX: Final = 128
"""More than a model can choose from."""
MCP_PIN_BYTES_MAX: Final = 256 * 1024
"""Of what a server says of its tools: all pins of a session still are one answer."""
MCP_CALL_S_DEFAULT: Final = 60
"""How long a call may take where its server's configuration says nothing."""
MCP_CALL_S_MAX: Final = 110
"""Below the deadline of any tool call, so that a slow server is named as such."""

# ── subagents ───────────────────────────────────────────────────────────────────────────────────

SUBAGENT_DEPTH_MAX: Final = 4
"""Generations below a session: what is further down nobody oversees."""
SESSION_TASKS_MAX: Final = 200
"""Of one session, ended ones included: a list of all is one answer."""
TASK_RESULT_CHARS_MAX: Final = 50_000
"""Of what a child said last; the rest is read in its session."""
