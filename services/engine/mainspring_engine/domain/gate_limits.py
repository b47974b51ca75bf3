"""The bounds of everything that holds ready tasks back: circuits, limits, shares, depth."""

from typing import Final

CIRCUIT_FAILURES_MIN: Final = 5
"""Failures until a circuit may open: fewer are an accident, and a turn outlives six attempts."""
CIRCUIT_FAILED_PART_MIN: Final = 0.5
"""And the part of the newest answers they must be: a busy provider always fails some."""
CIRCUIT_ANSWERS_MAX: Final = 20
"""Newest answers that an engine weighs per key: an outage shows after ten, at any rate of calls."""
CIRCUIT_WINDOW_S: Final = 60.0
"""Older answers say nothing about now."""
CIRCUIT_OPEN_S: Final = 30.0
"""How long a provider is left in peace first; doubled with each opening in a row."""
CIRCUIT_OPEN_S_MAX: Final = 300.0
"""Until it is asked again at last, whatever it asked for: an outage's end shows in five minutes."""
CIRCUIT_PROBES_MAX: Final = 2
"""Probes under way at once, in the whole cluster: an ailing provider is not hit by the backlog."""
CIRCUIT_SUCCESSES_MIN: Final = 2
"""Good probes that close it; one may have been lucky."""
CIRCUIT_PROBE_S: Final = 60.0
"""One engine's time for probes. A long model call fits; a dead engine's circuit goes on after."""
CIRCUIT_ENTRIES_MAX: Final = 1_000
"""Keys an engine counts for, and rows of a list: the least recently used is forgotten."""
GATE_PASS_S: Final = 1.0
"""How often an engine looks which circuits may be probed, and returns tokens it has no use for."""
LIMIT_ENTRIES_MAX: Final = 10_000
"""Keys with a limit. An engine holds all of them in memory."""
LIMIT_BURST_PART: Final = 0.1
"""The part of a window's claims that may come at once; the rest is spread, so a window never holds
more than its rate."""
LIMIT_HOLD_S: Final = 0.25
"""How long an engine may hold a token before it uses it: a claim's flight many times over."""
LIMIT_DRAW_TOKENS_MAX: Final = 100
"""Tokens of one draw: a claim's worth."""
LIMIT_DRAW_KEYS_MAX: Final = 500
"""Keys of one draw: a statement of some milliseconds; the others go with the next."""
BUCKETS_FORGOTTEN_MAX: Final = 1000
"""Full buckets of a family's keys that an engine forgets at once."""
BUCKETS_FORGOTTEN_S: Final = 60.0
"""And how often: what a day leaves behind fits."""
DEPTH_ORG_TASKS_MAX: Final = 10_000
"""Tasks of one organization that wait in one queue; its next message gets 429 meanwhile."""
DEPTH_COUNTED_MAX: Final = 11_000
"""What is counted of one organization: beyond the bound, so that a claim alone does not open it."""
DEPTH_QUEUE_TASKS_MAX: Final = 100_000
"""Tasks that wait in one queue, of all organizations: hours of work, and still a fast index."""
DEPTH_RETRY_S_MAX: Final = 60.0
"""The longest Retry-After of a full queue, and that of one that does not move."""
LOAD_SHUT: Final = 0.9
"""Part of a commit lane's queue above which new work gets 429: results and time need the rest."""
LOAD_OPEN: Final = 0.7
"""And below which it is taken again."""
CIRCUITS_FORCED_MAX: Final = 500
"""Circuits that are set by hand at a time: all engines always read these, and what opens by itself
has the other half of what they read."""
CIRCUITS_KNOWN_MAX: Final = 10_000
"""Circuits that an engine reads when it starts, and asks about by key where a later board was cut
off: a second's worth of reading."""
