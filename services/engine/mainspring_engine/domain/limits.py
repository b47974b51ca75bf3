"""Bounds that only an engine knows; the shared ones stand in `mainspring_kernel.limits`."""

from typing import Final

from mainspring_kernel.limits import MIB, WORKER_DEATHS_MAX

COMMIT_ROUNDS_MAX: Final = 4
"""Rounds of a flight in which nothing was settled: then what waits behind it comes aboard as well.
Another engine writes the same session."""
COMMIT_FLIGHTS_MAX: Final = 250
"""Such flights of one entry. A thousand conflicts take a second or two: then it is a fault."""
CIRCUIT_ROUNDS_MAX: Final = 16
"""Times that setting a circuit by hand is tried again because its engines moved it."""
WORKFLOW_SIGNALS_MAX: Final = 1000
"""Signals of one workflow that nothing took yet; the next gets 429."""
WORKFLOW_HELD_RETRY_S: Final = 5.0
"""How soon a held workflow is tried again: another worker's code may fit. Grows."""
WORKFLOW_HELD_RETRY_S_MAX: Final = 900.0
"""What that grows to."""
SUSPECT_DEATHS: Final = WORKER_DEATHS_MAX - 1
"""Deaths of a suspect: with the next one it is set aside. Spelled out in the SQL, for the index."""
SUSPECT_TRIAL_MS: Final = 60_000
"""How long a suspect has its queue's other ones wait: what ends its worker mostly does so soon."""
SUSPECTS_MAX: Final = 10_000
"""Suspects that one sweep looks at; behind so many, what was tried is not told from what waits."""
LOOK_OVER_REST_S: Final = 20.0
"""Between two looks at what the tables say that one worker holds: each is a read."""
NEWCOMERS_REST_S: Final = 1.0
"""Workers that start within it are looked at together: what is held may wait for one of them."""
MISFITS_LOOKED_AT_MAX: Final = 10_000
"""Delayed tasks that such a look reads: 0.1 s where all are tried. Others come by themselves."""
WORKFLOW_IDLE_GOES_MAX: Final = 20
"""Goes in a row that ask for another one at once and record nothing: such code would spin for ever.
One may miss news that came while it ran, and a second is rare."""
WORKFLOW_DEPTH_MAX: Final = 32
"""Parents above a workflow: one that starts itself ends here, not when the disk is full."""
FORK_STEPS_MAX: Final = 100_000
"""Recorded steps that a fork copies in its first commit: about a second of one lane."""
HISTORY_PAGE_ROWS_MAX: Final = 500
"""Recorded steps in one answer to a worker."""
HISTORY_PAGE_BYTES_MAX: Final = 1 * MIB
"""The same in bytes, for a frame; an answer holds one step at least."""
ALARM_GRAIN_MS: Final = 20
"""An engine looks at what it made due itself so soon after it; all within a grain is one look."""
ALARMS_MAX: Final = 100_000
"""Alarms that one engine keeps in memory; what is due beyond them is found by the sweep."""
REPLICA_BEAT_S: Final = 5.0
"""How often an engine says that it lives, and reads which of its workers are drained: 0.2
statements a second. A drain is in force at once where NATS carries the hint, else this late."""
REPLICA_SILENT_S: Final = 20.0
"""An engine not heard of for this long is gone: four beats, or a stall that nobody survives."""
WORKER_SLOTS_MAX: Final = 65_536
"""Of one worker, and what it may have free: one that says more would be given all there is."""
WORKER_KEPT_S: Final = 7 * 24 * 3600.0
"""How long a stopped worker stays in the registry: attempts of this week name who made them."""
PRESENCES_WAITING_MAX: Final = 20_000
"""Changes of streams that wait for the database; the newest one per worker counts."""
SAMPLE_TASKS_MAX: Final = 200_000
"""Open tasks that one look at the queues counts: about 40 ms of the database. More are more."""
REQUEUE_IDLE_S: Final = 10.0
"""How often an engine looks for requeues that are due although it knows of none: 0.1 statements a
second, for orders whose engine died."""
REQUEUE_LOOKS: Final = 5
"""Of whoever ordered it: the row is locked by single statements only."""
REQUEUE_LOOK_S: Final = 0.02
"""Between two of them."""
REQUEUE_BUSY_S: Final = 0.5
"""The same while it knows of some: the grain of a rate."""
REQUEUE_RETRY_S: Final = 10.0
"""How long a requeue that was tried is left alone: a commit has long landed or failed."""
REQUEUE_LATE_S: Final = 2.0
"""An order that nobody tried for so long, four looks, was left alone: what is left of it moves as a
whole, and keeps its rate."""
AHEAD_MAX: Final = 1000
"""Ready tasks before one that are counted to explain it; more say no more."""
EXPLAINED_TASKS_MAX: Final = 50
"""Open tasks of one workflow that an explanation looks at: above the calls of one answer."""
DISPATCH_LATE_MS: Final = 3000
"""Engines look for ready tasks each second; one that waits longer beside free slots is odd."""
SWEEP_LATE_MS: Final = 6000
"""An engine stands in for a silent scheduler after two seconds; later than this nobody does."""
RETOLD_MS: Final = 60_000
"""How far back a starting engine records spans again that a killed one may have lost: it is back
within seconds, and spans leave a process a second after their commit."""
RETOLD_TASK_AGE_MS: Final = 600_000
"""Of tasks made this long ago at most: a range of the key, for attempts have no index by time."""
RETOLD_ROWS_MAX: Final = 5_000
"""Attempts in that, newest first: one short statement, and a bounded burst of spans."""
CARRIED_SIGNALS_MAX: Final = 10_000
"""Signals between sessions that wait for their lanes; what is above it the sweep finds."""
SIGNAL_LOST_MS: Final = 1000
"""How long a signal between sessions may lie before the sweep brings it: its hint was lost."""
SIGNALS_LOOK_S: Final = 3.0
"""How often an engine looks for those, unless the last look found some: a hint is lost with its
engine, and a child that begins so much later is still no news."""
LOSSES_AT_ONCE: Final = 3
"""Attempts of a task that may end as no death, handed back or undelivered, before it rests: workers
that are on their way out give back what they hold, and somebody else has it at once."""
LOSS_REST_MS: Final = 100
"""The first rest; each next one is twice as long."""
LOSS_REST_MS_MAX: Final = 30_000
"""And no longer: five minutes until the bound, in which somebody may come who can read the task."""
UNSETTLED_REST_S: Final = 30.0
"""How long a sweep leaves out what could not be decided: five hundred such rows, due before all
others, would be all that any pass finds."""
UNSETTLED_ROWS_MAX: Final = 10_000
"""So many rest at once; they travel with each pass, 16 bytes each."""
SIGNAL_RETRY_MS_MAX: Final = 300_000
"""The wait between two tries of a signal that was not taken grows to this."""
SIGNAL_TRIES_MAX: Final = 20
"""After so many, over an hour, a signal between sessions is given up: what fails so often is no
outage. Whoever waits for it is told."""
SIGNAL_LOST_TOLD_MAX: Final = 3
"""So often that is told, should an engine die over it: a parent takes it once."""
JOIN_LOOK_MS_MAX: Final = 3_600_000
"""How long a call that waits for a child is left alone: news wakes it, and where news was lost it
looks by itself. A worker asks for less at first."""
JOIN_UNLINKED_MS: Final = 1000
"""The same for a child of which no news is to come: it has ended, or began unheard."""
METRICS_LOOK_S: Final = 15.0
"""Between two looks at the whole for those who scrape: a third of a statement a second."""

BUDGETS_PASS_S: Final = 1.0
"""How often an engine that calls models looks which organizations have budgets."""
BUDGETS_TRUSTED_S: Final = 2.0
"""How old that answer may be. Whoever makes the first budget of an organization waits as long."""
LEASE_SWEEP_PART_MAX: Final = 0.05
"""Part of an engine's time for passes over leases, which go over rows that are gone as well."""
LEASE_SWEEP_REST_S_MAX: Final = 10.0
"""But the next pass waits no longer than this: a lease. A pass of a second, over the 1.5 million
rows that a snapshot held for minutes keeps, then takes an eleventh of one core; a stream that
breaks, which is how most workers are lost, needs no pass."""
