"""Bounds that only a worker's stream knows; shared ones stand in `mainspring_kernel.limits`."""

from typing import Final

from mainspring_kernel.limits import DRAIN_S, LEASE_RENEW_AFTER_S, LEASE_S

LEASE_MARGIN_S: Final = LEASE_RENEW_AFTER_S + 0.5
"""Taken off a lease on this side: a renewal may leave a lease that is up to LEASE_RENEW_AFTER_S old
as it is, and clocks drift a little."""
AWAKE_S: Final = 1.0
"""How often a worker looks at the clock, to know what of a lease it may have slept through: a task
counts as leased since the last look but one."""
BEATS_PER_LEASE: Final = 3
"""Two beats in a row may be lost before a lease ends."""
ATTACH_TIMEOUT_S: Final = 5.0
"""How long an engine may take to answer an attach before another one is tried."""
STEADY_S: Final = LEASE_S
"""After a stream that lived so long the next one is opened with the shortest wait. By then it has
carried all that a worker sends again to a new one; what ended sooner may end as soon each time."""
NO_ENGINE_TOLD_S: Final = 30.0
"""How often a worker without an engine warns of it; it tries about twice a second."""
CLOSE_S: Final = 0.5
"""How long an engine may take to end a stream that was closed in order, before it is reset."""
CONFIG_TIMEOUT_S: Final = 10.0
"""How long a task waits for its configuration: one lease, then it is handed back."""
HISTORY_AGAIN_S: Final = 5.0
"""How long a page of recorded steps may take before it is asked for again: above every page that
only takes its time, and well below what anybody waits for a workflow."""
DRAIN_HEARD_S: Final = 1.0
"""How long a draining worker waits for an engine to say that nothing more is on its way: its answer
takes as long as a frame, and one that says nothing so long is frozen, or away."""
DRAIN_ACK_S: Final = 3.0
"""How long a draining worker waits for the answers to its last results."""
DRAIN_WORK_S: Final = DRAIN_S - DRAIN_ACK_S - 2.0
"""How long what has begun may go on before it is broken off; the rest of DRAIN_S closes things."""
SLOTS_DEFAULT: Final = 100
"""Tasks in hand at once: most wait for a model or a tool, so they cost memory, not cores."""
SLOTS_MAX: Final = 4096
"""Above it one process's loop is the bound, not its slots."""
OUTPUT_QUIET_S: Final = 0.25
"""How long a tool's output waits before anybody is shown any: a call that is over by then costs no
event and no fragment, and nobody sees a difference."""
OUTPUT_SHOWN_CHARS_MAX: Final = 256 * 1024
"""Of one attempt at a call, as it is written: more than anybody reads as it flows by, and the
result has it. Each fragment is a row that is kept for an hour."""
