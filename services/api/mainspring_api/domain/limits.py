"""Bounds that only api knows; the shared ones stand in `mainspring_kernel.limits`."""

from typing import Final

from mainspring_kernel.limits import KIB, MIB

FILES_PAST_S: Final = 30 * 86_400
"""How long files and stored values are kept as they were, for forks of a session as of then."""
FILES_PAST_PER_SWEEP_MAX: Final = 500
"""One statement's worth: contents go with them."""
RECORDS_PAST_PER_SWEEP_MAX: Final = 2000
"""One statement's worth: a value is small."""
FORKS_RELEASED_MAX: Final = 10
"""In one transaction, when their session is deleted: each may copy a whole workspace."""
FORK_EVENTS_MAX: Final = 10_000
"""Of an open turn that is read to end it in a fork; one with more is forked behind its end."""
AGENT_VERSIONS_MAX: Final = 1_000
"""Of one agent: a list of all is one answer."""
NAMES_TRIED_MAX: Final = 100
"""Numbers behind the name of a copy, before its maker has to say a name."""
STATS_SESSIONS_MAX: Final = 1_000
"""The newest sessions whose logs the figures of an agent are added up from, one read for each."""
STATS_READS_AT_ONCE_MAX: Final = 8
"""Of these reads: others wait for the event store, too."""
HEALTH_CHECKS_KEPT_MAX: Final = 50
"""Of one agent: they are looked at for how it does now; the oldest goes."""
SESSION_SECRETS_MAX: Final = 100
"""Names of one session: a list of all is one answer."""
SESSION_SCHEDULES_MAX: Final = 5
"""That a session's own agent has at once: each sends it a message again and again."""
OUTLINE_S_MAX: Final = 1.0
"""Who reads sessions waits no longer for what others know of them: the rest is told without it."""
TASK_BEGIN_S: Final = 180
"""From the record of a session's task to the turn that begins it. A call that was cut off there is
made again within a lease and the time of a tool call, or never; then its place is another's."""
CONNECTIONS_MAX: Final = 200
"""Third parties of one organization: a list of all is one answer."""
PROVIDERS_MAX: Final = 100
"""Of an organization's own: the same."""
MODELS_MAX: Final = 1_000
"""Of an organization's own: the same."""
MEMORIES_MAX: Final = 1_000
"""Of an organization, archived ones counted: the same."""
CHANNELS_MAX: Final = 50
"""Channels of one agent: a list of all is one answer."""
CHANNEL_KEYS_MAX: Final = 20
"""Of one channel: two while one is replaced, and some for a careless replacer."""
RESEALED_PER_PAGE_MAX: Final = 100
"""Secrets that are sealed anew in one transaction, which keeps others from them meanwhile."""
RESEAL_PERIOD_S: Final = 3600.0
"""From one pass to the next, while there is an older key: a replica may still seal under it."""
RUNTIME_TOKEN_S: Final = 900
"""How long a runtime token opens its channel: a browser may lose it, and gets the next in time."""
PENDING_EVENTS_MAX: Final = 64
"""The newest events of appeals among which all open ones are: two for each call of an answer, of
which there are 16, and as many again."""
BUDGETS_MAX: Final = 1_000
"""In one list, newest first: a list of all is one answer."""
APPEAL_EVENTS_MAX: Final = 1_000
"""How far back an appeal is known to who answers it again; one page of the log."""
CALLER_PAGE_ROWS_MAX: Final = 200
"""Sessions in one answer to a caller of a channel."""
FALLBACKS_MAX: Final = 3
"""Models behind one: with all its tries a call goes round once and a half, and then says so."""
MCP_SERVERS_MAX: Final = 200
"""Of one organization: a list of all is one answer."""

# ── requests ──────────────────────────────────────────────────────────────────────────────────────

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
JSON_DEPTH_MAX: Final = 64
"""Nesting of a client's JSON. Deeper is an attack on a parser's stack."""
IDEMPOTENCY_KEY_CHARS_MAX: Final = 255
"""The longest key in use elsewhere; it is an index key."""
IDEMPOTENCY_CLAIM_S: Final = 30.0
"""A request that holds its key longer has died; the next one takes it over."""

# ── what people send ──────────────────────────────────────────────────────────────────────────────

NAME_CHARS_MAX: Final = 64
"""Names of agents and harnesses: they stand in URLs."""
SYSTEM_PROMPT_BYTES_MAX: Final = 512 * KIB
"""One tier's prompt. Three tiers still fit any model's context of today."""
TAGS_MAX: Final = 50
"""Tags of one thing; they are matched in lists."""
TOOLS_PER_AGENT_MAX: Final = 128
"""What providers accept in one request."""
INITIAL_FILES_MAX: Final = 100
"""Files in a session's create body, which is bounded in bytes too."""
FILE_BYTES_MAX: Final = 100 * MIB
"""One workspace file; streamed, never held in memory at once."""
WORKSPACE_BYTES_MAX: Final = 256 * MIB
"""What workers may fill a workspace to; a looping agent stops here, people may go on."""
STEP_PLACE_CHARS_MAX: Final = 200
"""Of a step's place: twenty branches deep."""
LIMIT_RATE_MAX: Final = 1_000_000
"""Claims per window that a limit may name: more is no limit."""
LIMIT_WINDOW_MS_MAX: Final = 24 * 3600 * 1000
"""The longest window: a day's quota."""
SHARE_WEIGHT_MAX: Final = 1_000
"""The largest weight of an organization; the smallest is its inverse."""

# ── pages ─────────────────────────────────────────────────────────────────────────────────────────

LIST_ROWS_DEFAULT: Final = 20
"""Rows of a list of resources, as the reference has it."""
EVENTS_PAGE_ROWS_DEFAULT: Final = 100
"""A turn with a few tools."""
EVENTS_WINDOW_DEFAULT: Final = 50
"""Events on each side of `around`."""
EVENT_TYPES_PER_FILTER_MAX: Final = 64
"""More than all types that exist is a mistake."""
RESUME_OFFSET_MAX: Final = 100_000
"""Offset paging beyond this reads more rows than it returns; use a cursor."""

# ── calls to the engine ───────────────────────────────────────────────────────────────────────────

SUBMIT_FLIGHT_ITEMS_MAX: Final = 256
"""Messages of one SubmitMany."""
BASIS_FLIGHT_ITEMS_MAX: Final = 256
"""Messages that share the statement by which the api learns what their sessions rest on."""
BASIS_FLIGHTS_MAX: Final = 2
"""Of those statements at once: a slow one does not hold up whoever comes next."""
STARTS_PER_CALL_MAX: Final = 256
"""Starts of workflows in one call to an engine: a flight's worth."""
STARTS_BYTES_PER_CALL_MAX: Final = 3 * MIB
"""The same in bytes, below the bound of a message; larger ones go each by itself."""
RESULT_WAIT_S_MAX: Final = 60.0
"""How long one request may wait for a workflow's result: proxies cut idle requests after it."""
RESULT_RECHECK_S: Final = 2.0
"""How soon the end of a workflow is seen although its copy on the bus was lost."""
UPKEEP_PERIOD_S: Final = 30.0
"""Between two passes of the upkeep: nobody waits for what it does, and each is a few statements."""
DELETE_RETRY_S: Final = 10.0
"""An unfinished deletion this old is finished by the sweep."""
DELETES_PER_SWEEP_MAX: Final = 50
"""Deletions that one pass finishes; each is a call to the engine."""

# ── streams ───────────────────────────────────────────────────────────────────────────────────────

SSE_HEARTBEAT_S: Final = 15.0
"""Proxies cut idle streams at 30 to 60 s."""
SSE_ALLOWED_S: Final = 10.0
"""A caller of a channel who may not read any more is shown no more after this."""
SSE_CYCLE_S: Final = 300.0
"""A stream is cycled after this, with jitter, so that load follows new replicas."""
SSE_CYCLE_JITTER: Final = 0.2
"""Part of that time over which cycles are drawn: streams that began together end apart."""
SSE_RETRY_MS: Final = 500
"""When a client whose stream broke comes again: the process may be restarting."""
SSE_RETRY_SPREAD_MS: Final = 500
"""Drawn on top, so that the clients of a process that died do not come all at once."""
SSE_CYCLE_RETRY_MS: Final = 100
"""The same where the stream was ended in order: another process answers already."""
SSE_QUEUE_FRAMES_MAX: Final = 1000
"""Frames waiting for one slow client; above it, it reads from its cursor again."""
SSE_STREAMS_MAX: Final = 10_000
"""Open streams of one process, where it may have twice as many files open; the next gets 429."""
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
HEADS_SWEEP_S: Final = 1.0
"""How soon a lost wake-up is noticed by comparing heads."""

# ── operators ─────────────────────────────────────────────────────────────────────────────────────

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
