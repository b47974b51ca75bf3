"""Bounds that only a worker knows; the shared ones stand in `mainspring_kernel.limits`."""

from typing import Final

from mainspring_kernel.limits import KIB, MIB

READ_PAGES_MAX: Final = 1000
"""Pages of one context read; a session with more events needs a snapshot, not patience."""
CONTEXT_CACHE_ENTRIES_MAX: Final = 2_000
"""Sessions whose folded context is kept; the bytes are bounded apart."""
TRUNCATED_PREVIEW_BYTES: Final = 16 * KIB
"""What the model still sees of a tool result that is over its bound, as it is encoded."""
KEEP_RESULT_S: Final = 5.0
"""How long a worker tries to keep a large result before it goes on with what it shows of it."""
ERROR_TEXT_CHARS_MAX: Final = 2_000
"""Of an error that travels in a result."""
TOOL_PROBE_TIMEOUT_S: Final = 30.0
"""How long a tool may look for what became of a lost call; after it the call ends unknown."""
SERVERS_WAIT_S: Final = 40.0
"""Before a model call, for MCP servers a session has not asked yet; they are asked together."""
SERVERS_SILENT_S: Final = 60.0
"""How long a server that could not be asked is left alone: each model call would wait for it."""
SERVERS_SILENT_MAX: Final = 1_000
"""Of those; beyond it they are asked again at once."""
HOOK_SUBJECT_BYTES_MAX: Final = 256 * KIB
"""What one hook is asked about; beyond it the hook counts as failed."""
HOOK_ANSWER_BYTES_MAX: Final = 256 * KIB
"""Of a hook's answer: it may stand in the place of what it was asked about."""
STEP_RESULT_BYTES_MAX: Final = 1 * MIB + 256 * KIB
"""A model's whole answer with its tool calls, below the rpc bound."""
PROVIDER_MODELS_MAX: Final = 1_000
"""Of one provider's list: as many as an organization may have; the largest have some hundreds."""
