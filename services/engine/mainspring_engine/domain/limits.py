"""Bounds that only an engine uses; the shared ones are in `mainspring_kernel.limits`.

Those of what holds ready tasks back are beside, in `gate_limits.py`.
"""

from typing import Final

from mainspring_kernel.limits import HEARTBEAT_S, KIB, LEASE_RENEW_AFTER_S, LEASE_S, MIB

# ── lanes and flights ─────────────────────────────────────────────────────────────────────────────

COMMIT_LANES: Final = 2
"""Flights in the air per engine process. One decides while the other commits; more lanes make
smaller flights, and a flight's fixed cost is most of a small one's (0.18 statements a turn with one
lane and 32 clients, 0.40 with four; a fifth less CPU in Postgres). One alone leaves the cores
idle while a commit waits for the disk: 361 turns a second, 411 with two, 417 with three."""
COMMIT_FLIGHT_BYTES_MAX: Final = 8 * MIB
"""What strangers sent, in one commit: far below the statement timeout. One item always flies."""
COMMIT_FLIGHT_ITEMS_MAX: Final = 256
"""Items of one commit: throughput grows little above, latency and bisecting cost do."""
COMMIT_ROUNDS_MAX: Final = 4
"""Rounds of a flight in which nothing was settled: then what waits behind it comes aboard as well.
Another engine writes the same session."""
COMMIT_FLIGHTS_MAX: Final = 250
"""Such flights of one entry. A thousand conflicts take a second or two: then it is a fault."""
COMMANDS_WAIT_S: Final = 2.0
"""Behind a flight that the store does not take. Then commands are refused, and may be sent again:
long before their callers give up, who would know nothing."""
COMMIT_LATE_MAX: Final = 5
"""Decisions of one entry that took so long that the store refused their date. Each next one is
dated ahead by what the last one took, so a second one does; more of them only hold up the lane."""
EVENT_PAYLOAD_BYTES_MAX: Final = 1 * MIB + 64 * KIB
"""A body at its bound with its envelope. Larger is a visible failure of the step."""
WORKFLOW_STATE_BYTES_MAX: Final = 1536
"""Ids and counters only: rewritten with every step, so it decides the WAL per step."""

# ── claims ────────────────────────────────────────────────────────────────────────────────────────

CLAIM_BATCH_TASKS_MAX: Final = 100
"""Rows of one claim: 100k rows/s in batches of 100, 7k/s singly (measured)."""
CLAIM_CHUNK_TASKS: Final = 16
"""What one worker is filled with before the next one's turn: one frame, one write."""
CLAIM_ROUTES_MAX: Final = 64
"""Routes of one claim: each costs a statement inside it."""
CLAIM_GROUPS_MAX: Final = 256
"""Organizations and priorities that one claim chooses between per route; the next one continues."""
CLAIM_DEPTH_SPARE: Final = 8
"""Rows a claim looks at beyond its share of a group: other claims may hold some at that moment."""
BACKLOG_GROUPS_MAX: Final = 10_000
"""Groups with ready tasks that an engine remembers; the passes find the others as these empty."""
READY_GROUPS_MAX: Final = 1000
"""Groups that one pass over the ready index finds; the next pass goes on behind the last."""
CLAIM_SWEEP_S: Final = 1.0
"""How soon a ready task is found although its wake-up was lost."""
CLAIM_SWEEP_PART_MAX: Final = 0.05
"""Part of an engine's time for such passes: a long one, for rows that are gone, delays the next."""
CLAIM_SWEEP_S_MAX: Final = 10.0
"""But no longer than this."""
PRIORITY_AGING_S: Final = 30.0
"""Waiting this long is worth one priority: the highest keep the lowest back for five minutes."""
SHARES_REMEMBERED_MAX: Final = 10_000
"""Organizations whose lead an engine remembers; who is level with the clock is forgotten."""

# ── workers and their streams ─────────────────────────────────────────────────────────────────────

WORKER_SLOTS_MAX: Final = 65_536
"""Of one worker, and what it may have free: one that says more would be given all there is."""
OUTBOX_ITEMS_MAX: Final = 8192
"""Things waiting for one worker's stream; above it the stream is closed and its tasks come back."""
WORKER_LISTEN_S: Final = 1.0
"""How often an engine looks who is silent."""
WORKER_SILENT_HOLDING_S: Final = 7.0
"""Two missed beats of a worker that holds tasks: it gets no more until it speaks, and its tasks
find another when their leases end."""
WORKER_SILENT_IDLE_S: Final = 23.0
"""The same of a worker that holds nothing and therefore beats seldom."""
STREAM_GRACE_S: Final = 1.0
"""A broken stream may come back elsewhere before its unstarted tasks are released."""
STREAMS_LEAVE_S: Final = 3.0
"""How long a draining engine waits for its workers to attach elsewhere; then it ends streams."""
CONFIGS_READ_MAX: Final = 64
"""Configurations that are read at once for one stream; it has one such read under way."""
FRAME_PARTS_MAX: Final = 1024
"""Results, events or reports in one frame of a worker: four times what ours send. Each is work."""
EMITS_UNANSWERED_MAX: Final = 1024
"""Of one stream, which is not read on meanwhile: lanes take events in their order, and others' lie
behind these, four flights of a lane."""
LOOK_OVER_REST_S: Final = 20.0
"""Between two looks at what the tables say that one worker holds: each is a read."""
NEWCOMERS_REST_S: Final = 1.0
"""Workers that start within it are looked at together: what is held may wait for one of them."""
MISFITS_LOOKED_AT_MAX: Final = 10_000
"""Delayed tasks that such a look reads: 0.1 s where all are tried. Others come by themselves."""
REPLICA_BEAT_S: Final = 5.0
"""How often an engine says that it lives, and reads which of its workers are drained: 0.2
statements a second. A drain is in force at once where NATS carries the hint, else this late."""
REPLICA_HEARD_S: Final = 2 * REPLICA_BEAT_S
"""An engine that is to be sent workers was heard of within it: a beat may come late."""
REPLICA_SILENT_S: Final = 20.0
"""An engine not heard of for this long is gone: four beats, or a stall that nobody survives."""
KNOWN_LOOK_S: Final = 30.0
"""How often an engine asks whether Postgres knows who is attached: it may be put back to before."""
BALANCE_S: Final = 60.0
"""How often an engine compares its streams with the others': two looks later some move."""
BALANCE_AGAIN_S: Final = 3600.0
"""A worker that came back to the engine that had sent it away is not sent again for as long."""
WORKER_KEPT_S: Final = 7 * 24 * 3600.0
"""How long a stopped worker stays in the registry: attempts of this week name who made them."""
PRESENCES_WAITING_MAX: Final = 20_000
"""Changes of streams that wait for the database; the newest one per worker counts."""

CHILDREN_EXPLAINED_MAX: Final = 8
"""Children that one explanation looks into: each is some reads, and the first ones say why."""

# ── attempts that are lost ────────────────────────────────────────────────────────────────────────

POSTGRES_SETTLE_S: Final = 10.0
"""No lease expires this soon after Postgres started, or served again: its outage was nobody's
death."""
OUTAGE_S: Final = LEASE_S - LEASE_RENEW_AFTER_S - HEARTBEAT_S
"""Within it no lease of a worker that is heard runs out, so what is shorter is no outage."""
AGE_TOLD_S: Final = 0.25
"""A task that is younger goes to its worker without its age: a commit takes so long, and half of
what a worker takes off a lease for clocks that drift."""
WORKER_DEATHS_MAX: Final = 3
"""Counted deaths until a task is quarantined: it kills its workers."""
DEATHS_FORGIVEN_MAX: Final = 3
"""A worker that comes back takes the death of its task back, with so few attempts lost before: one
that stands still until its leases are over may do so for the task. Spelled out in the SQL."""
ATTEMPTS_UNCOUNTED_MAX: Final = 20
"""Attempts that ended without a counted death (undelivered, handed back): a loop, not bad luck.
What kills its workers is counted above, however quickly it does."""
ATTEMPTS_PER_STEP_MAX: Final = 6
"""Retries of a transient failure; with backoff this lasts minutes."""
SUSPECT_DEATHS: Final = WORKER_DEATHS_MAX - 1
"""Deaths of a suspect: with the next one it is set aside. Spelled out in the SQL, for the index."""
SUSPECT_TRIAL_MS: Final = 60_000
"""How long a suspect has its queue's other ones wait: what ends its worker mostly does so soon."""
SUSPECTS_MAX: Final = 10_000
"""Suspects that one sweep looks at; behind so many, what was tried is not told from what waits."""
LOSSES_AT_ONCE: Final = 3
"""Attempts of a task that may end as no death, handed back or undelivered, before it rests: workers
that are on their way out give back what they hold, and somebody else has it at once."""
LOSS_REST_MS: Final = 100
"""The first rest; each next one is twice as long."""
LOSS_REST_MS_MAX: Final = 30_000
"""And no longer: five minutes until the bound, in which somebody may come who can read the task."""

# ── sweeps and alarms ─────────────────────────────────────────────────────────────────────────────

SWEEP_BATCH_ROWS_MAX: Final = 500
"""Rows of one pass of any sweep: short transactions."""
SWEEP_SILENCE_S: Final = 2.0
"""Without a stamp this young an engine makes the sweeps itself: turns end with no scheduler up."""
LEASE_SWEEP_PART_MAX: Final = 0.05
"""Part of an engine's time for passes over leases, which go over rows that are gone as well."""
LEASE_SWEEP_REST_S_MAX: Final = 10.0
"""But the next pass waits no longer than this: a lease. A pass of a second, over the 1.5 million
rows that a snapshot held for minutes keeps, then takes an eleventh of one core; a stream that
breaks, which is how most workers are lost, needs no pass."""
UNSETTLED_REST_S: Final = 30.0
"""How long a sweep leaves out what could not be decided: five hundred such rows, due before all
others, would be all that any pass finds."""
UNSETTLED_ROWS_MAX: Final = 10_000
"""So many rest at once; they travel with each pass, 16 bytes each."""
ALARM_GRAIN_MS: Final = 20
"""An engine looks at what it made due itself so soon after it; all within a grain is one look."""
ALARMS_MAX: Final = 100_000
"""Alarms that one engine keeps in memory; what is due beyond them is found by the sweep."""

# ── turns ─────────────────────────────────────────────────────────────────────────────────────────

RETRY_AFTER_S_MAX: Final = 3600.0
"""A provider that asks for a longer wait is out of service: the turn fails and says so."""
CLIENT_TOOL_TIMEOUT_S: Final = 24 * 3600.0
"""How long a session waits for its client's tool results."""
CANCEL_DEADLINE_S: Final = 10.0
"""When a cancelled turn ends although a tool has not given up."""
BUDGETS_PASS_S: Final = 1.0
"""How often an engine that calls models looks which organizations have budgets."""
BUDGETS_TRUSTED_S: Final = 2.0
"""How old that answer may be. Whoever makes the first budget of an organization waits as long."""

# ── workflows ─────────────────────────────────────────────────────────────────────────────────────

WORKFLOW_SIGNALS_MAX: Final = 1000
"""Signals of one workflow that nothing took yet; the next gets 429."""
WORKFLOW_SIGNALS_BYTES_MAX: Final = 16 * MIB
"""Bytes of those, 32 of the largest; the next gets 429 as well. They lie in the tables for all."""
SIGNAL_READ_BYTES_MAX: Final = 1024
"""What one says is read with all that lie there up to here, a MiB for as many as may lie there;
what is longer is read when it is taken."""
SIGNALS_READ_BYTES_MAX: Final = 1 * MIB
"""Longer ones that are read at once, one at least: a decision may take many, one by one."""
WORKFLOW_HELD_RETRY_S: Final = 5.0
"""How soon a held workflow is tried again: another worker's code may fit. Grows."""
WORKFLOW_HELD_RETRY_S_MAX: Final = 900.0
"""What that grows to."""
REFUSALS_AT_ONCE_MAX: Final = 32
"""Refusals of one workflow, behind each of which another worker is asked at once; then it is held
and tried ever later. Of a fleet half of which is new the first few asked have one that fits."""
REFUSED_WORKFLOWS_MAX: Final = 10_000
"""Workflows of which an engine remembers who refused them: 10 MB where ten workers did each, 15 MB
at most (measured)."""
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
HISTORY_READS_MAX: Final = 4
"""Of those at once for one stream: a read each, of which all streams share the connections."""
HISTORY_PAGES_UNREAD_MAX: Final = 16
"""Such answers that wait for a worker to read its stream; those who want more ask again."""
PROGRESS_STEPS_MAX: Final = 64
"""Steps at work in one workflow whose reports its next attempt gets: half a frame at most."""
PROGRESS_FORGOTTEN_ROWS_MAX: Final = 1000
"""Reports of tasks that are over, removed by one statement of the upkeep."""
DECLARATION_OPEN_MAX: Final = 32
"""Tasks of one workflow that are open at once: their ids stand in the state. Others wait."""

# ── queries ───────────────────────────────────────────────────────────────────────────────────────

QUERY_S: Final = 10.0
"""How long a query waits for its worker, which may have a long history to go through."""
QUERIES_AT_ONCE_MAX: Final = 64
"""Queries under way in one engine: each replays a workflow at a worker beside its tasks."""
QUERY_ENGINES_MAX: Final = 3
"""Other engines that are asked one after the other, where none of the workers here knows the code.
"""
QUERY_HEARD_S: Final = 3.0
"""How long another engine has to say that it was asked: one that died is on record for some time.
"""
QUERY_AGAIN_S: Final = 1.0
"""When to ask again where no worker answered: one that was restarted is back by then."""

# ── signals between sessions ──────────────────────────────────────────────────────────────────────

CARRIED_SIGNALS_MAX: Final = 10_000
"""Signals between sessions that wait for their lanes; what is above it the sweep finds."""
SIGNAL_LOST_MS: Final = 1000
"""How long a signal between sessions may lie before the sweep brings it: its hint was lost."""
SIGNALS_LOOK_S: Final = 3.0
"""How often an engine looks for those, unless the last look found some: a hint is lost with its
engine, and a child that begins so much later is still no news."""
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
STOPPED_TURNS_KEPT: Final = 8
"""Of a session's cancelled turns: a child whose call was cancelled begins within seconds if at all,
and people may interrupt one turn after the other meanwhile."""

# ── plain tasks ───────────────────────────────────────────────────────────────────────────────────

PLAIN_TASKS_PER_FLIGHT_MAX: Final = 1000
"""Plain tasks inserted by one statement, of as many calls as fit."""
PLAIN_FAILURES_MAX: Final = 1000
"""Failed attempts of a plain task, whatever its own policy says: days of them."""
LISTED_WINDOW_ROWS: Final = 500
"""Workflows looked at together for those that run or are held, among all that wait as well."""
LISTED_WINDOWS_MAX: Final = 8
"""Of them for one page: some 4,000 open workflows, tens of milliseconds; the next page goes on."""
CLOSED_WINDOW_MAX: Final = 2000
"""Tasks, whosever, that one page of ended ones reads through: no index leads to them, for it would
cost every task of the hot path."""
PLAIN_AGE_MS_MAX: Final = 12 * 3600 * 1000
"""How old an id may be that a caller made: rows are kept by the weeks of their ids, and the week
before may be closed. Whoever repeats a submit does it sooner."""
PLAIN_AHEAD_MS_MAX: Final = 3600 * 1000
"""And how far ahead of the engine's clock."""

# ── announced tools ───────────────────────────────────────────────────────────────────────────────

TOOLSETS_LISTED_MAX: Final = 200
"""Of one answer: what a page of the catalogue shows."""
TOOLSET_WAIT_S: Final = 300.0
"""How long a call waits for a worker: a deployment or a restart takes less. Looked at again each
time so long, while a worker has the call."""

# ── caches ────────────────────────────────────────────────────────────────────────────────────────

HEAD_CACHE_ENTRIES_MAX: Final = 20_000
"""Heads and workflow states per engine: about 2 KiB each."""
ROUTE_CACHE_ENTRIES_MAX: Final = 10_000
"""Interned routes per engine."""
TAIL_EVENTS_MAX: Final = 64
"""Newest events of a session kept for its next task: a turn with some tools."""
TAIL_BYTES_MAX: Final = 128 * KIB
"""The same in bytes; 20,000 sessions must fit in memory, and few reach it."""
DECLARATIONS_CACHED_MAX: Final = 1000
"""Declarations that an engine keeps decoded."""
VALUES_CACHED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Results and inputs of running workflows that an engine keeps: what it lost is read again."""

# ── operators ─────────────────────────────────────────────────────────────────────────────────────

SAMPLE_TASKS_MAX: Final = 200_000
"""Open tasks that one look at the queues counts: about 40 ms of the database. More are more."""
METRICS_LOOK_S: Final = 15.0
"""Between two looks at the whole for those who scrape: a third of a statement a second."""
AHEAD_MAX: Final = 1000
"""Ready tasks before one that are counted to explain it; more say no more."""
EXPLAINED_TASKS_MAX: Final = 50
"""Open tasks of one workflow that an explanation looks at: above the calls of one answer."""
DISPATCH_LATE_MS: Final = 3000
"""Engines look for ready tasks each second; one that waits longer beside free slots is odd."""
SWEEP_LATE_MS: Final = 6000
"""An engine stands in for a silent scheduler after two seconds; later than this nobody does."""
REQUEUE_IDLE_S: Final = 10.0
"""How often an engine looks for requeues that are due although it knows of none: 0.1 statements a
second, for orders whose engine died."""
REQUEUE_BUSY_S: Final = 0.5
"""The same while it knows of some: the grain of a rate."""
REQUEUE_LOOKS: Final = 5
"""Of whoever ordered it: the row is locked by single statements only."""
REQUEUE_LOOK_S: Final = 0.02
"""Between two of them."""
REQUEUE_RETRY_S: Final = 10.0
"""How long a requeue that was tried is left alone: a commit has long landed or failed."""
REQUEUE_LATE_S: Final = 2.0
"""An order that nobody tried for so long, four looks, was left alone: what is left of it moves as a
whole, and keeps its rate."""
CIRCUIT_ROUNDS_MAX: Final = 16
"""Times that setting a circuit by hand is tried again because its engines moved it."""
RETOLD_MS: Final = 60_000
"""How far back a starting engine records spans again that a killed one may have lost: it is back
within seconds, and spans leave a process a second after their commit."""
RETOLD_TASK_AGE_MS: Final = 600_000
"""Of tasks made this long ago at most: a range of the key, for attempts have no index by time."""
RETOLD_ROWS_MAX: Final = 5_000
"""Attempts in that, newest first: one short statement, and a bounded burst of spans."""

# ── records of workflows that are removed ─────────────────────────────────────────────────────────

EXAMINED_PAGE: Final = 500
"""Workflows looked at in one statement: a range of a key, and some milliseconds."""
EXAMINED_PAGES_MAX: Final = 40
"""Of them in one pass, a second's work. It says that there is more and comes again soon, until all
workflows were looked at; then in an hour."""
RECORDS_PER_TRIM_MAX: Final = 5_000
"""Rows that one transaction removes: short, and little to repeat."""
RECORDS_PER_PASS_MAX: Final = 50_000
"""What one pass removes; it says that there is more, and comes again soon."""
