"""Bounds of this service alone."""

from typing import Final

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
"""Third parties of one organization: the same."""

PROVIDERS_MAX: Final = 100
"""Of an organization's own: the same."""

MODELS_MAX: Final = 1_000
"""Of an organization's own: the same."""

MEMORIES_MAX: Final = 1_000
"""Of an organization, archived ones counted: the same."""

ENDPOINTS_MAX: Final = 50
"""Channels of one agent: a list of all is one answer."""

ENDPOINT_KEYS_MAX: Final = 20
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
