"""Bounds that only the scheduler knows, by name, each with its reason."""

from typing import Final

SCHEDULES_PER_ORG_MAX: Final = 10_000
"""All due in one minute, one process works them off in that minute."""
SCHEDULES_PER_CLAIM_MAX: Final = 64
"""Claimed at once: they are written in one statement and asked for together."""
SCHEDULE_HOLD_MS: Final = 20_000
"""How long a claimed schedule is left to its taker: a pass whose every call runs into its timeout
still ends within it. A taker that died is made up for after it."""
SCHEDULE_TICK_MS_MIN: Final = 20
"""Shortest wait for the next due slot: clocks of process and database need not agree closer."""
SLOTS_PER_PASS_MAX: Final = 16
"""Slots of one schedule planned at once; a backlog takes several passes, which others share."""
SLOTS_MISSED_COUNTED_MAX: Final = 100
"""Missed slots are counted one by one up to here; a year of seconds would block the process."""
SLOTS_OPEN_MAX: Final = 100
"""Slots of one schedule at work together; the next are skipped, and a hand's trigger gets 429."""
SLOT_CALLS_IN_AIR_MAX: Final = 32
"""Targets that one process asks at once."""
SLOT_CALL_TIMEOUT_S: Final = 5.0
"""One call to a target: a commit takes milliseconds, and other schedules wait for this one."""
SLOT_GIVE_UP_MS: Final = 24 * 3600 * 1000
"""How long a slot asks a target that is away; then it has failed and says so."""
SLOT_LOOK_MS_MIN: Final = 2000
"""First look at how a begun slot goes: most turns take seconds."""
SLOT_LOOK_MS_MAX: Final = 60_000
"""Longest wait between two looks at something that takes hours."""
SLOT_BUFFERED_LOOK_MS: Final = 1000
"""The wait while another slot is buffered behind it."""
SLOT_RETENTION_MS: Final = 30 * 24 * 3600 * 1000
"""Ended slots are shown for a month, as other records of background work are."""
SLOTS_PER_UPKEEP_MAX: Final = 5000
"""Old slots removed at once: short transactions."""
SLOTS_COUNTED_MAX: Final = 10_000
"""Newest slots that statistics are made of: a statement of milliseconds."""

# ── duties ────────────────────────────────────────────────────────────────────────────────────────

SWEEP_PERIOD_MS: Final = 1500
"""Between two passes of one sweep, and between two claims of duties. An idle stack may send 5
statements a second: one claim and three sweeps per period are 2.7. No due row waits 2 s (a
promise), and a lease of 10 s still gives recovery within 12."""
SWEEP_BUSY_MS: Final = 250
"""The same after a pass that found rows: what falls due comes in swarms, and work pays for it."""
SWEEP_REPEATS_MAX: Final = 20
"""Full batches that one claim works off: 10,000 rows; the rest is for whoever claims next."""
SWEEP_TIMEOUT_S: Final = 10.0
"""One pass: a batch is one short transaction of the engine, and may queue behind its flights."""
UPKEEP_PERIOD_MS: Final = 3_600_000
"""Partitions are made a week ahead; an hour leaves 160 tries."""
UPKEEP_HOLD_MS: Final = 120_000
"""How long a claimed upkeep is left to its taker: twice its timeout, so it is seldom done twice."""
UPKEEP_TIMEOUT_S: Final = 60.0
"""Attaching and dropping partitions waits for locks, in bounded tries."""
DUTIES_PER_CLAIM_MAX: Final = 16
"""All duties there are, with room: one statement claims whatever is due."""
