"""Every bound of the house by name, with its reason. Sizes in bytes, times in seconds or `_ms`.

Those of one matter (gates, queries, plain tasks …) are beside, in `*_limits.py`; what one service
alone goes by stands in its `domain/limits.py`.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# ── what comes in ───────────────────────────────────────────────────────────────────────────────

HEADERS_BYTES_MAX: Final = 32 * KIB
"""The target and all headers of a request, without what stands between them. 431 above it."""
REQUEST_HEAD_BYTES_MAX: Final = 64 * KIB
"""A head that has not ended, as it comes: the bound above, with room for any spacing. And what may
come after a body. Held for each connection, with one read of the socket."""
REQUEST_HEAD_S: Final = 10.0
"""From a request's first byte to the end of its headers: one packet for an honest client. 408."""
REQUEST_BODY_S: Final = 300.0
"""From there to its last byte: the largest body at 3 Mbit/s. 408."""
CONNECTION_IDLE_S: Final = 75
"""Before a connection's first request and between two: longer than the idle timeouts of common
proxies, which reuse connections."""
REFUSED_LINGER_S: Final = 2.0
"""How long a refused client's bytes are thrown away: closed before, its answer may be lost."""
JSON_BODY_BYTES_MAX: Final = 1 * MIB
"""A message with text and tool results; more is a file. 413 above it."""
FILE_BYTES_MAX: Final = 100 * MIB
"""One workspace file; streamed, never held in memory at once."""
JSON_DEPTH_MAX: Final = 64
"""Nesting of a client's JSON. Deeper is an attack on a parser's stack."""
FOREIGN_JSON_DEPTH_MAX: Final = 256
"""Nesting of what a model or a tool wrote: well inside the stack of every interpreter we run on."""
NAME_CHARS_MAX: Final = 64
"""Names of agents and harnesses: they stand in URLs."""
DISPLAY_NAME_CHARS_MAX: Final = 200
"""Labels for people: one line of a list."""
SYSTEM_PROMPT_BYTES_MAX: Final = 512 * KIB
"""One tier's prompt. Three tiers still fit any model's context of today."""
TAGS_MAX: Final = 50
"""Tags of one thing; they are matched in lists."""
IDEMPOTENCY_KEY_CHARS_MAX: Final = 255
"""The longest key in use elsewhere; it is an index key."""
IDEMPOTENCY_RETENTION_S: Final = 24 * 3600
"""A client that comes again after a day means a new request."""
TOOLS_PER_AGENT_MAX: Final = 128
"""What providers accept in one request."""
CAPABILITIES_PER_AGENT_MAX: Final = 100
"""Capabilities of one agent with all they depend on: a prompt with more is no prompt."""
INITIAL_FILES_MAX: Final = 100
"""Files in a session's create body, which is bounded in bytes too."""
EVENT_TYPES_PER_FILTER_MAX: Final = 64
"""More than all types that exist is a mistake."""

# ── pages ───────────────────────────────────────────────────────────────────────────────────────

PAGE_ROWS_MAX: Final = 1000
"""One list answer stays below the body bound for ordinary rows."""
EVENTS_PAGE_ROWS_DEFAULT: Final = 100
"""A turn with a few tools."""
EVENTS_AROUND_ROWS_MAX: Final = 500
"""Each side of `around`."""
READ_ROWS_MAX: Final = 1000
"""One Read of the event store; the answer must fit an rpc message."""
READ_BYTES_MAX: Final = 2 * MIB
"""The same in bytes; an answer holds at least one row, whatever its size."""
HEADS_PER_CALL_MAX: Final = 5000
"""Sessions one api process compares in one sweep call."""
RESUME_OFFSET_MAX: Final = 100_000
"""Offset paging beyond this reads more rows than it returns; use a cursor."""

# ── what is stored ──────────────────────────────────────────────────────────────────────────────

TOOL_RESULT_INLINE_BYTES_MAX: Final = 64 * KIB
"""A larger tool result is kept as a file and shown in part, so that prompts and events stay
small."""
TOOL_RESULT_BYTES_MAX: Final = 3 * MIB
"""What is kept of a tool's result: with its envelope one rpc message. The rest is cut."""
WORKSPACE_BYTES_MAX: Final = 256 * MIB
"""What workers may fill a workspace to; a looping agent stops here, people may go on."""
EVENT_PAYLOAD_BYTES_MAX: Final = 1 * MIB + 64 * KIB
"""A body at its bound with its envelope. Larger is a visible failure of the step."""
STEP_RESULT_BYTES_MAX: Final = 1 * MIB + 256 * KIB
"""A model's whole answer with its tool calls, below the rpc bound."""
WORKFLOW_STATE_BYTES_MAX: Final = 1536
"""Ids and counters only: rewritten with every step, so it decides the WAL per step."""

# ── leases ──────────────────────────────────────────────────────────────────────────────────────

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
WORKER_LISTEN_S: Final = 1.0
"""How often an engine looks who is silent."""
WORKER_SILENT_HOLDING_S: Final = 7.0
"""Two missed beats of a worker that holds tasks: it gets no more until it speaks, and its tasks
find another when their leases end."""
WORKER_SILENT_IDLE_S: Final = 23.0
"""The same of a worker that holds nothing and therefore beats seldom."""
STREAM_GRACE_S: Final = 1.0
"""A broken stream may come back elsewhere before its unstarted tasks are released."""
POSTGRES_SETTLE_S: Final = 10.0
"""No lease expires this soon after Postgres started: its outage was nobody's death."""
WORKER_DEATHS_MAX: Final = 3
"""Counted deaths until a task is quarantined: it kills its workers."""
ATTEMPTS_UNCOUNTED_MAX: Final = 20
"""Attempts that ended without a counted death (undelivered, handed back): a loop, not bad luck.
What kills its workers is counted above, however quickly it does."""
ATTEMPTS_PER_STEP_MAX: Final = 6
"""Retries of a transient failure; with backoff this lasts minutes."""

# ── memory ──────────────────────────────────────────────────────────────────────────────────────

GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Allocations before the young generation is collected, then younger collections per older one.
Nearly all is freed by reference counts; with the defaults the collector took 13 to 19 % of the CPU
of engine, api and worker under load (measured by switching it off)."""

# ── lanes and flights ───────────────────────────────────────────────────────────────────────────

COMMIT_LANES: Final = 2
"""Flights in the air per engine process. One decides while the other commits; more lanes make
smaller flights, and a flight's fixed cost is most of a small one's (0.18 statements a turn with one
lane and 32 clients, 0.40 with four; a fifth less CPU in Postgres). One alone leaves the cores
idle while a commit waits for the disk: 361 turns a second, 411 with two, 417 with three."""
COMMIT_FLIGHT_BYTES_MAX: Final = 8 * MIB
"""What strangers sent, in one commit: far below the statement timeout. One item always flies."""
COMMIT_FLIGHT_ITEMS_MAX: Final = 256
"""Items of one commit: throughput grows little above, latency and bisecting cost do."""
LANE_QUEUE_ITEMS_MAX: Final = 8192
"""Waiting items per lane; above it new submits get 429, results wait on their stream."""
HEAD_LOCK_TIMEOUT_MS: Final = 2000
"""Holders of a head are single statements; waiting longer means something is stuck."""
SUBMIT_FLIGHT_ITEMS_MAX: Final = 256
"""Messages of one SubmitMany."""
BASIS_FLIGHT_ITEMS_MAX: Final = 256
"""Messages that share the statement by which the api learns what their sessions rest on."""
BASIS_FLIGHTS_MAX: Final = 2
"""Of those statements at once: a slow one does not hold up whoever comes next."""
APPEND_FLIGHT_ITEMS_MAX: Final = 512
"""Fragments of one AppendMany, over many streams."""
CLAIM_BATCH_TASKS_MAX: Final = 100
"""Rows of one claim: 100k rows/s in batches of 100, 7k/s singly (measured)."""
FRAME_TASKS_MAX: Final = 256
"""Tasks in one frame to a worker. With 64, here and below, a plain task took a tenth more CPU."""
FRAME_RESULTS_MAX: Final = 256
"""Results in one frame to an engine."""
FRAME_BYTES_TARGET: Final = 1 * MIB
"""A frame is cut here, far below the rpc bound, so that beats are not stuck behind it."""
OUTBOX_ITEMS_MAX: Final = 8192
"""Things waiting for one worker's stream; above it the stream is closed and its tasks come back."""
SWEEP_BATCH_ROWS_MAX: Final = 500
"""Rows of one pass of any sweep: short transactions."""
CLOCK_DRIFT_MS_MAX: Final = 5000
"""How far an event's proposed time may lie from the database's clock; further is decided again."""
CLAIM_GROUPS_MAX: Final = 256
"""Organizations and priorities that one claim chooses between per route; the next one continues."""
CLAIM_ROUTES_MAX: Final = 64
"""Routes of one claim: each costs a statement inside it."""
BACKLOG_GROUPS_MAX: Final = 10_000
"""Groups with ready tasks that an engine remembers; the passes find the others as these empty."""
CLAIM_CHUNK_TASKS: Final = 16
"""What one worker is filled with before the next one's turn: one frame, one write."""
CLAIM_DEPTH_SPARE: Final = 8
"""Rows a claim looks at beyond its share of a group: other claims may hold some at that moment."""
READY_GROUPS_MAX: Final = 1000
"""Groups that one pass over the ready index finds; the next pass goes on behind the last."""
PRIORITY_MAX: Final = 9
"""Priorities are 0 to 9; waiting lifts a task up to here and not above."""
PRIORITY_AGING_S: Final = 30.0
"""Waiting this long is worth one priority: the highest keep the lowest back for five minutes."""
SHARES_REMEMBERED_MAX: Final = 10_000
"""Organizations whose lead an engine remembers; who is level with the clock is forgotten."""
PARTITIONS_AHEAD_MS: Final = 14 * 24 * 3600 * 1000
"""Partitions are made two weeks ahead: the alarm at one week leaves one to repair."""
PARTITIONS_BEHIND_MS: Final = 24 * 3600 * 1000
"""And a day back, for ids made by a clock that is behind, or just before the week turned."""

# ── turns ───────────────────────────────────────────────────────────────────────────────────────

INBOX_ROWS_MAX: Final = 100
"""Unconsumed messages of one session; the next gets 429."""
TOOL_CALLS_PER_RESPONSE_MAX: Final = 16
"""Calls that one model answer may ask for; the others get an error result."""
RETRY_AFTER_S_MAX: Final = 3600.0
"""A provider that asks for a longer wait is out of service: the turn fails and says so."""
TURN_ITERATIONS_DEFAULT: Final = 500
"""Model calls of one turn where no tier says otherwise."""
TURN_ITERATIONS_MAX: Final = 500
"""What a tier may ask for."""
TOOL_CALL_TIMEOUT_S: Final = 120.0
"""Where the tool names no other."""
CLIENT_TOOL_TIMEOUT_S: Final = 24 * 3600.0
"""How long a session waits for its client's tool results."""
CANCEL_DEADLINE_S: Final = 10.0
"""When a cancelled turn ends although a tool has not given up."""

# ── workflows ───────────────────────────────────────────────────────────────────────────────────

WORKFLOW_VALUE_BYTES_MAX: Final = 512 * KIB
"""An input, a step's result or a signal as JSON: several still fit a frame. More is a file."""
WORKFLOW_VALUE_INLINE_BYTES_MAX: Final = 64 * KIB
"""A larger value stands in its step alone; its event says that it was left out."""
WORKFLOW_TYPE_CHARS_MAX: Final = 128
"""Names of workflows and steps; a route is made of them, and the workflow's state holds one."""
WORKFLOW_KEY_CHARS_MAX: Final = 255
"""An index key, like an Idempotency-Key."""
STEP_PLACE_CHARS_MAX: Final = 200
"""Of a step's place: twenty branches deep."""
WORKFLOW_WAITS_MAX: Final = 1000
"""Open waits of one workflow: they are read together when one comes to pass."""
WORKFLOW_STEPS_PER_FRAME_MAX: Final = 100
"""Steps of one checkpoint: one row each, in one commit."""
RESULT_WAIT_S_MAX: Final = 60.0
"""How long one request may wait for a workflow's result: proxies cut idle requests after it."""
RESULT_RECHECK_S: Final = 2.0
"""How soon the end of a workflow is seen although its copy on the bus was lost."""

# ── deltas and streams ──────────────────────────────────────────────────────────────────────────

DELTA_FLUSH_MS: Final = 30
"""The one timer of the hot path: people see text flow, the log sees few rows."""
DELTA_FLUSH_MS_MAX: Final = 250
"""What the interval may stretch to under load."""
DELTA_FLUSH_BYTES: Final = 4 * KIB
"""A fragment this long goes at once."""
DELTA_FRAGMENT_BYTES_MAX: Final = 64 * KIB
"""One stored fragment; a longer one is split."""
DELTA_RETENTION_S: Final = 3600
"""Kept this long after their message closed; then the full text stands in the event."""
DELTA_GIVE_UP_S: Final = 5.0
"""How long a worker waits for the event store before its result goes without the last deltas."""
SSE_HEARTBEAT_S: Final = 15.0
"""Proxies cut idle streams at 30 to 60 s."""
SSE_CYCLE_S: Final = 300.0
"""A stream is cycled after this, with jitter, so that load follows new replicas."""
SSE_QUEUE_FRAMES_MAX: Final = 1000
"""Frames waiting for one slow client; above it, it reads from its cursor again."""
SSE_STREAMS_MAX: Final = 10_000
"""Open streams of one process; the next gets 429."""
SSE_STREAMS_PER_SESSION_MAX: Final = 12
"""Browsers open six per host; two people with all tabs fit."""
SSE_STREAMS_PER_ORG_MAX: Final = 1000
"""Of one process: one organization cannot take all streams."""
SSE_FRAMES_CACHED_MAX: Final = 128
"""Frames of one followed session's newest events: a turn, so that late subscribers share them."""
SSE_ACCUMULATED_CHARS_MAX: Final = 256 * KIB
"""Every delta repeats the text so far; past this the ending event alone has all of it."""
SSE_ANCHORS_MAX: Final = 32
"""Messages and channels that stream at once in one session."""
SSE_READ_ROWS: Final = 500
"""Rows of one reading of history: below it a slow client holds few in memory."""
IDEMPOTENCY_CLAIM_S: Final = 30.0
"""A request that holds its key longer has died; the next one takes it over."""
DELETE_RETRY_S: Final = 10.0
"""An unfinished deletion this old is finished by the sweep."""
DELETES_PER_SWEEP_MAX: Final = 50
"""Deletions that one pass finishes; each is a call to the engine."""
KEYS_PER_SWEEP_MAX: Final = 1000
"""Old request keys removed at once: short transactions."""
KEY_SWEEPS_PER_UPKEEP_MAX: Final = 100
"""Of them in one upkeep: about a second's work, far below its timeout."""
LIST_ROWS_DEFAULT: Final = 20
"""Rows of a list of resources, as the reference has it."""
LIST_ROWS_MAX: Final = 100
"""A larger page is cut to this."""
EVENTS_WINDOW_DEFAULT: Final = 50
"""Events on each side of `around`."""
HEADS_SWEEP_S: Final = 1.0
"""How soon a lost wake-up is noticed by comparing heads."""

# ── the pace of time ────────────────────────────────────────────────────────────────────────────

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

# ── caches ──────────────────────────────────────────────────────────────────────────────────────

HEAD_CACHE_ENTRIES_MAX: Final = 20_000
"""Heads and workflow states per engine: about 2 KiB each."""
CONFIG_CACHE_ENTRIES_MAX: Final = 1_000
"""Folded agents per process; many sessions share one."""
CONTEXT_CACHE_BYTES_MAX: Final = 256 * MIB
"""Folded conversations per worker."""
ROUTE_CACHE_ENTRIES_MAX: Final = 10_000
"""Interned routes per engine."""

# ── connections ─────────────────────────────────────────────────────────────────────────────────

RPC_MESSAGE_BYTES_MAX: Final = 4 * MIB
"""gRPC's own default, kept: every payload bound above lies below it."""
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
"""Flushes unanswered by a frozen NATS, each kept for a minute; as many streams may open at once."""
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
DRAIN_S: Final = 20.0
"""From SIGTERM to the end; orchestrators kill at 30 s."""
START_S: Final = 60.0
"""How long a service waits at start for the servers it needs."""

# ── what an engine remembers of a session ───────────────────────────────────────────────────────

TAIL_EVENTS_MAX: Final = 64
"""Newest events of a session kept for its next task: a turn with some tools."""
TAIL_BYTES_MAX: Final = 128 * KIB
"""The same in bytes; 20,000 sessions must fit in memory, and few reach it."""
CLAIM_SWEEP_S: Final = 1.0
"""How soon a ready task is found although its wake-up was lost."""
CLAIM_SWEEP_PART_MAX: Final = 0.05
"""Part of an engine's time for such passes: a long one, for rows that are gone, delays the next."""
CLAIM_SWEEP_S_MAX: Final = 10.0
"""But no longer than this."""
SWEEP_SILENCE_S: Final = 2.0
"""Without a stamp this young an engine makes the sweeps itself: turns end with no scheduler up."""
STREAMS_LEAVE_S: Final = 3.0
"""How long a draining engine waits for its workers to attach elsewhere; then it ends streams."""

# ── operators ───────────────────────────────────────────────────────────────────────────────────

OPERATOR_ROWS_MAX: Final = 100
"""Rows of one list that an operator asks for; the answer must fit an rpc message."""
HEALTH_AGE_MS_MAX: Final = 1000
"""How old a look at the whole may be: many who watch cost one look a second per engine."""
MONITOR_LOOK_S: Final = 1.0
"""Between two looks of the live monitor: people watch it, and all of them share a look."""
MONITOR_STREAMS_MAX: Final = 200
"""People who watch the engine through one process."""
LETTERS_PER_ORDER_MAX: Final = 1000
"""Dead letters that one order deals with: one statement, and an answer that comes at once."""
REQUEUE_RATE_PER_S: Final = 10.0
"""Where an order names no rate: a poison that still kills is noticed before it has killed all."""
REQUEUE_RATE_PER_S_MAX: Final = 1000.0
"""Faster is at once."""
METRIC_SERIES_MAX: Final = 200
"""Label sets of one metric per process, the rest add up: queues and models are named by users."""
SCRAPE_HEAD_BYTES_MAX: Final = 8 * KIB
"""A scraper's request: a line and a few headers."""
SCRAPE_S: Final = 5.0
"""For that request to come, and for its answer to be taken."""
