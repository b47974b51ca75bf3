"""Bounds that services or libraries share. Sizes in bytes, times in seconds or `_ms`.

Those of one matter (plain tasks, announced tools …) are beside, in `*_limits.py`; what one service
alone goes by stands in its `domain/limits.py`.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# ── what comes in ─────────────────────────────────────────────────────────────────────────────────

FOREIGN_JSON_DEPTH_MAX: Final = 256
"""Nesting of what a model or a tool wrote: well inside the stack of every interpreter we run on."""
DISPLAY_NAME_CHARS_MAX: Final = 200
"""Labels for people: one line of a list."""
CAPABILITIES_PER_AGENT_MAX: Final = 100
"""Capabilities of one agent with all they depend on: a prompt with more is no prompt."""
TASK_KEYS_MAX: Final = 4
"""Keys of one task: a customer, a machine, a service outside; each is a lock more of its claim."""
KEY_CHARS_MAX: Final = 100
"""Of a key or a circuit's name: they stand in every route that they make."""
GATE_KEY_CHARS_MAX: Final = 500
"""Of the key of a limit or a circuit, with its kind or provider: an index holds no long ones."""
QUERY_ARGUMENTS_BYTES_MAX: Final = 4 * KIB
"""Of a query's arguments: they travel in a URL."""
IDEMPOTENCY_RETENTION_S: Final = 24 * 3600
"""A client that comes again after a day means a new request."""
KEYS_PER_SWEEP_MAX: Final = 1000
"""Old request keys removed at once: short transactions."""
KEY_SWEEPS_PER_UPKEEP_MAX: Final = 100
"""Of them in one upkeep: about a second's work, far below its timeout."""

# ── pages ─────────────────────────────────────────────────────────────────────────────────────────

LIST_ROWS_MAX: Final = 100
"""A larger page is cut to this."""
OPERATOR_ROWS_MAX: Final = 100
"""Rows of one list that an operator asks for; the answer must fit an rpc message."""
PAGE_ROWS_MAX: Final = 1000
"""One list answer stays below the body bound for ordinary rows."""
EVENTS_AROUND_ROWS_MAX: Final = 500
"""Each side of `around`."""
READ_ROWS_MAX: Final = 1000
"""One Read of the event store; the answer must fit an rpc message."""
HEADS_PER_CALL_MAX: Final = 5000
"""Sessions one api process compares in one sweep call."""

# ── what is stored ────────────────────────────────────────────────────────────────────────────────

TOOL_RESULT_INLINE_BYTES_MAX: Final = 64 * KIB
"""A larger tool result is kept as a file and shown in part, so that prompts and events stay
small."""
TOOL_IMAGES_BYTES_MAX: Final = 896 * KIB
"""Images of one tool result as base64: with its text they fit one event. The others are files."""
TOOL_RESULT_BYTES_MAX: Final = 3 * MIB
"""What is kept of a tool's result: with its envelope one rpc message. The rest is cut."""
PARTITIONS_AHEAD_MS: Final = 14 * 24 * 3600 * 1000
"""Partitions are made two weeks ahead: the alarm at one week leaves one to repair."""
PARTITIONS_BEHIND_MS: Final = 24 * 3600 * 1000
"""And a day back, for ids made by a clock that is behind, or just before the week turned."""

# ── leases ────────────────────────────────────────────────────────────────────────────────────────

LEASE_S: Final = 10.0
"""How long a silent worker keeps its tasks; bounds recovery together with the sweep's pace."""
LEASE_RENEW_AFTER_S: Final = 3.0
"""A lease is renewed only when older than this: fewer writes, and two beats may be lost."""
HEARTBEAT_S: Final = 3.0
"""Beats of a worker that holds tasks; also the bound of a cancel without NATS."""
FIRST_BEAT_S: Final = 0.2
"""A task still in hand this long is named to its engine, whose death counts from then on. Most tool
calls are over by then and cost no statement."""
HEARTBEAT_IDLE_S: Final = 10.0
"""Beats of a worker that holds nothing: only the deaf stream must be noticed."""
HEARTBEAT_JITTER: Final = 0.1
"""Part of the interval by which beats are drawn apart: 1,000 workers must not beat together."""

# ── lanes, flights and frames ─────────────────────────────────────────────────────────────────────

LANE_QUEUE_ITEMS_MAX: Final = 8192
"""Waiting items per lane; above it new submits get 429, results wait on their stream."""
HEAD_LOCK_TIMEOUT_MS: Final = 2000
"""Holders of a head are single statements; waiting longer means something is stuck."""
CLOCK_DRIFT_MS_MAX: Final = 5000
"""How far an event's proposed time may lie from the database's clock; further is decided again."""
APPEND_FLIGHT_ITEMS_MAX: Final = 512
"""Fragments of one AppendMany, over many streams."""
FRAME_TASKS_MAX: Final = 256
"""Tasks in one frame to a worker. With 64, here and below, a plain task took a tenth more CPU."""
FRAME_RESULTS_MAX: Final = 256
"""Results in one frame to an engine."""
FRAME_BYTES_TARGET: Final = 1 * MIB
"""A frame is cut here, far below the rpc bound, so that beats are not stuck behind it."""
PRIORITY_MAX: Final = 9
"""Priorities are 0 to 9; waiting lifts a task up to here and not above."""

# ── turns ─────────────────────────────────────────────────────────────────────────────────────────

INBOX_ROWS_MAX: Final = 100
"""Unconsumed messages of one session; the next gets 429."""
TOOL_CALLS_PER_RESPONSE_MAX: Final = 16
"""Calls that one model answer may ask for; the others get an error result."""
TURN_ITERATIONS_DEFAULT: Final = 500
"""Model calls of one turn where no tier says otherwise."""
TURN_ITERATIONS_MAX: Final = 500
"""What a tier may ask for."""
TOOL_CALL_TIMEOUT_S: Final = 120.0
"""Where the tool names no other."""

# ── workflows ─────────────────────────────────────────────────────────────────────────────────────

WORKFLOW_VALUE_BYTES_MAX: Final = 512 * KIB
"""An input, a step's result or a signal as JSON: several still fit a frame. More is a file."""
WORKFLOW_VALUE_INLINE_BYTES_MAX: Final = 64 * KIB
"""A larger value stands in its step alone; its event says that it was left out."""
WORKFLOW_TYPE_CHARS_MAX: Final = 128
"""Names of workflows and steps; a route is made of them, and the workflow's state holds one."""
WORKFLOW_KEY_CHARS_MAX: Final = 255
"""An index key, like an Idempotency-Key."""
WORKFLOW_WAITS_MAX: Final = 1000
"""Open waits of one workflow: they are read together when one comes to pass."""
WORKFLOW_STEPS_PER_FRAME_MAX: Final = 100
"""Steps of one checkpoint: one row each, in one commit."""

# ── deltas ────────────────────────────────────────────────────────────────────────────────────────

DELTA_FLUSH_MS: Final = 30
"""The one timer of the hot path: people see text flow, the log sees few rows."""
DELTA_FLUSH_MS_MAX: Final = 250
"""What the interval may stretch to under load."""
DELTA_FLUSH_BYTES: Final = 4 * KIB
"""A fragment this long goes at once."""
DELTA_FRAGMENT_BYTES_MAX: Final = 64 * KIB
"""One stored fragment; a longer one is split."""
DELTA_GIVE_UP_S: Final = 5.0
"""How long a worker waits for the event store before its result goes without the last deltas."""

# ── a provider's list of models ───────────────────────────────────────────────────────────────────

SYNC_START_MS: Final = 8_000
"""How long it waits for a free worker: somebody waits for it."""
SYNC_LIST_MS: Final = 15_000
"""How long the provider has for all of it: providers need a second."""
SYNC_WAIT_S: Final = 26.0
"""Both, and the ways between; below the time for which a request holds its key."""

# ── caches and memory ─────────────────────────────────────────────────────────────────────────────

CONFIG_CACHE_ENTRIES_MAX: Final = 1_000
"""Folded agents per process; many sessions share one."""
OPEN_FILES_MAX: Final = 65_536
"""That a process allows itself, where the machine does: several times its streams and workers."""
CONTEXT_CACHE_BYTES_MAX: Final = 256 * MIB
"""Folded conversations per worker."""
GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Allocations before the young generation is collected, then younger collections per older one.
Nearly all is freed by reference counts; with the defaults the collector took 13 to 19 % of the CPU
of engine, api and worker under load (measured by switching it off)."""

# ── connections ───────────────────────────────────────────────────────────────────────────────────

RPC_MESSAGE_BYTES_MAX: Final = 4 * MIB
"""gRPC's own default, kept: every payload bound lies below it."""
APPEND_FLIGHT_CHARS_MAX: Final = RPC_MESSAGE_BYTES_MAX // 8
"""Text of one AppendMany: half a message where each character has four bytes, and room for ids."""
RPC_TIMEOUT_S: Final = 10.0
"""An inner unary call; the longest that a client waits before 503 or 504."""
RPC_KEEPALIVE_S: Final = 20.0
"""Pings on an idle channel: a dead peer is noticed in 30 s at most."""
RPC_KEEPALIVE_TIMEOUT_S: Final = 10.0
"""The wait for a ping's answer."""
POOL_CONNECTIONS_MAX: Final = 10
"""Per process that names no number of its own. The services of one stack add up to 20, so that a
few replicas stay below Postgres' default of 100."""
POOL_ACQUIRE_TIMEOUT_S: Final = 5.0
"""Waiting longer for a connection means overload: 503."""
STATEMENT_TIMEOUT_MS: Final = 10_000
"""No hot statement takes seconds; upkeep sets its own."""
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 10_000
"""A frozen process must not hold locks, nor hold back vacuum."""
BUS_PENDING_MESSAGES_MAX: Final = 65_536
"""Undelivered messages of one subscription; above it the subscriber resynchronises."""
BUS_PENDING_BYTES_MAX: Final = 64 * MIB
"""The same in bytes; NATS itself drops a client at 64 MiB."""
BUS_OUTBOX_MESSAGES_MAX: Final = 10_000
"""Hints waiting to be written; more are dropped, for they are hints."""
BUS_FLUSH_TIMEOUT_S: Final = 0.5
"""How long a new stream waits for its subscription before it goes on without NATS."""
BUS_ROUND_TRIPS_MAX: Final = 4_096
"""Flushes unanswered by a frozen NATS, kept for half a minute; as many streams may open at once."""

# ── processes ─────────────────────────────────────────────────────────────────────────────────────

START_S: Final = 60.0
"""How long a service waits at start for the servers it needs."""
DRAIN_S: Final = 20.0
"""From SIGTERM to the end; orchestrators kill at 30 s."""
LISTENER_QUEUE_EVENTS_MAX: Final = 10_000
"""Events waiting for one listener; more are dropped and counted."""
LISTENER_BATCH_EVENTS_MAX: Final = 500
"""Events in one call of a listener."""
LISTENER_REST_S: Final = 0.05
"""Between two calls of a listener: at most 20 a second, however many commits there are."""
TRACE_FILE_BYTES_MAX: Final = 64 * MIB
"""One process's span file; the older half is kept beside it, then dropped."""
TRACE_QUEUE_SPANS_MAX: Final = 20_000
"""Spans waiting to be written or sent; more are dropped and counted."""
OTLP_EXPORT_S: Final = 3.0
"""For a collector to take spans or metrics, tries included. Both wait for it behind the drain, so a
collector that is away must not keep a process beyond the 30 s of its orchestrator."""
METRIC_SERIES_MAX: Final = 200
"""Label sets of one metric per process, the rest add up: queues and models are named by users."""
SCRAPE_HEAD_BYTES_MAX: Final = 8 * KIB
"""A scraper's request: a line and a few headers."""
SCRAPE_S: Final = 5.0
"""For that request to come, and for its answer to be taken."""
