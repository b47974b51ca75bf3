"""How long and how much a worker takes of an MCP server."""

from typing import Final

from mainspring_kernel.limits import MIB

OPEN_S: Final = 10.0
"""From the first packet, or the start of its process, until a server is ready."""
LIST_S: Final = 10.0
"""For all that a server says of its tools."""
LIST_PAGES_MAX: Final = 20
"""Pages of that; a server that goes on for ever is cut off."""
ANSWER_BYTES_MAX: Final = 4 * MIB
"""Of one answer or one message; a server that floods loses its connection."""
IDLE_S: Final = 120.0
"""How long a session's connection waits for its next call."""
SERVER_CONNECTIONS_MAX: Final = 64
"""Of one worker; the one that was idle for longest makes room."""
STOP_S: Final = 2.0
"""From SIGTERM to SIGKILL for the process group of a server."""
PROGRESS_GAP_S: Final = 1.0
"""Between two lines of one call's progress: each is an event of the session, for good."""
PROGRESS_LINES_MAX: Final = 100
"""Of one call; what a server says after that nobody is told."""
ERROR_BYTES_KEPT: Final = 4096
"""The end of what a server's process writes to its error output, for the worker's log."""
ERROR_CHARS_MAX: Final = 500
"""Of a server's own words about what went wrong."""
