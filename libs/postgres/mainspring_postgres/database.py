"""A pool of connections to one database, opened by one role."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar, cast

import asyncpg
import msgspec

from mainspring_kernel import backoff, limits
from mainspring_kernel.addresses import host_of
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_postgres.completion import finished
from mainspring_postgres.errors import (
    DurabilityOff,
    MigrationsMissing,
    QueryFailed,
    lost_connection,
)
from mainspring_postgres.lending import Lending
from mainspring_postgres.migrations import MIGRATIONS
from mainspring_postgres.queries import Query
from mainspring_postgres.rows import Row
from mainspring_postgres.statements import (
    Reading,
    StatementCount,
    Statements,
    raise_ours,
)
from mainspring_postgres.transaction import TransactionScope

T = TypeVar("T")
_log = logging.getLogger(__name__)
# It tells each outage with a traceback per connection; ours is told once, by who needed it.
logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the database and what a session may do. Times of zero mean no bound."""

    url: str
    application_name: str
    connections_min: int = 1
    connections_max: int = limits.POOL_CONNECTIONS_MAX
    acquire_timeout_s: float = limits.POOL_ACQUIRE_TIMEOUT_S
    statement_timeout_ms: int = limits.STATEMENT_TIMEOUT_MS
    lock_timeout_ms: int = limits.HEAD_LOCK_TIMEOUT_MS
    idle_in_transaction_timeout_ms: int = limits.IDLE_IN_TRANSACTION_TIMEOUT_MS
    start_s: float = limits.START_S
    """How long `open` waits for a server that does not answer yet."""
    durability_required: bool = True
    """Off only for throw-away servers of tests."""

    @property
    def where(self) -> str:
        """The server's address for people."""
        return host_of(self.url) or "its socket"

    def server_settings(self) -> dict[str, str]:
        """Settings of each session, sent with its start and so no statement of its own."""
        return {
            "application_name": self.application_name,
            # Statements lock first and then read what others committed meanwhile: a role or a
            # database whose default is a snapshot would refuse that.
            "default_transaction_isolation": "read committed",
            "jit": "off",
            "statement_timeout": str(self.statement_timeout_ms),
            "lock_timeout": str(self.lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(self.idle_in_transaction_timeout_ms),
        }


_DURABILITY = Query(
    name="durability",
    purpose="Settings without which acknowledged commits may be lost.",
    sql="""select name, setting from pg_settings
           where name in ('fsync', 'full_page_writes', 'synchronous_commit')
           and setting = 'off' order by name""",
    repeatable=True,
)
_APPLIED = Query(
    name="applied_migrations",
    purpose="The migrations that the database has had.",
    sql="select version from public.schema_migrations",
    repeatable=True,
)
_NEEDED = tuple(name for name in MIGRATIONS if "_pre_" in name)
_MISSING_BY_STATE = {
    "42P01": _NEEDED,
    "42501": tuple(name for name in _NEEDED if name >= "20261129234500_pre_shared_read_migrations"),
}
"""What is missing at least where that statement fails: the table comes with the first migration,
the right to read it with this one."""
_PING = Query(name="ping", purpose="Whether the server answers.", sql="select 1", repeatable=True)


class Database(Reading):
    """Statements of their own, and transactions. Make it with `open`, end it with `close`.

    Statements outside a transaction commit by themselves: one round trip, no BEGIN. Connection
    errors become Unavailable; those of statements marked repeatable are tried once more first.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", options: Options) -> None:
        self._pool = pool
        self._lending = Lending(pool, options.acquire_timeout_s)
        self.count = StatementCount()

    @classmethod
    async def open(
        cls,
        options: Options,
        *,
        migrated: bool = False,
        clock: Clock | None = None,
        draws: Draws | None = None,
    ) -> "Database":
        """Connects, waiting up to `start_s`, and checks that the server is durable.

        With `migrated`, that this version's `pre` migrations are there as well.
        Raises Unavailable, DurabilityOff or MigrationsMissing.
        """
        pool = await _open_pool(options, clock or SystemClock(), draws or SystemDraws())
        database = cls(pool, options)
        try:
            if options.durability_required:
                await database.check_durability()
            if migrated:
                await database.check_migrations()
        except BaseException:
            await database.close()
            raise
        return database

    async def check_durability(self) -> None:
        """Raises DurabilityOff where the server may lose acknowledged commits."""
        unsafe = await self.fetch(_DURABILITY)
        if unsafe:
            raise DurabilityOff([f"{row['name']}={row['setting']}" for row in unsafe])

    async def check_migrations(self) -> None:
        """Raises MigrationsMissing where a `pre` migration of this version was not applied."""
        try:
            applied = {cast("str", row["version"]) for row in await self.fetch(_APPLIED)}
        except QueryFailed as error:
            if error.sqlstate not in _MISSING_BY_STATE:
                raise
            raise MigrationsMissing(_MISSING_BY_STATE[error.sqlstate]) from error
        missing = [name for name in _NEEDED if _version(name) not in applied]
        if missing:
            raise MigrationsMissing(missing)
        ahead = sorted(applied.difference(map(_version, MIGRATIONS)))
        if ahead:
            _log.warning(
                "the database is ahead of this version: it has %s and %d more migrations; "
                "behind one marked post this version may not work", ahead[0], len(ahead) - 1,
            )  # fmt: skip

    async def ping(self) -> None:
        """Raises Unavailable where the server does not answer."""
        await self.fetch(_PING)

    async def close(self) -> None:
        """Closes idle connections and waits for lent ones; after 5 s ends them. Safe twice."""
        try:
            async with asyncio.timeout(5):
                await self._lending.close()
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    # ── statements ──────────────────────────────────────────────────────────────────────────

    def transaction(self) -> TransactionScope:
        """`async with database.transaction() as tx:` commits at the end, rolls back on an error."""
        return TransactionScope(self._lending, self.count)

    def snapshot(self) -> TransactionScope:
        """A read-only transaction whose statements all see the same state."""
        begin = "begin isolation level repeatable read read only"
        return TransactionScope(self._lending, self.count, begin=begin)

    async def fetch(self, query: Query, *args: object) -> list[Row]:
        """All rows."""
        return await self._once(query, lambda on: on.fetch(query, *args))

    async def execute(self, query: Query, *args: object) -> int:
        """Runs it and returns how many rows it touched."""
        return await self._once(query, lambda on: on.execute(query, *args))

    async def executemany(self, query: Query, rows: Iterable[Sequence[object]]) -> None:
        """Runs it once per row, pipelined and all or nothing."""
        kept = list(rows)
        await self._once(query, lambda on: on.executemany(query, kept))

    async def _once(self, query: Query, work: Callable[[Statements], Awaitable[T]]) -> T:
        try:
            return await finished(self._on_connection(work))
        except MainspringError as error:
            if not (query.repeatable and lost_connection(error)):
                raise
            return await finished(self._on_connection(work))

    async def _on_connection(self, work: Callable[[Statements], Awaitable[T]]) -> T:
        connection = await self._lending.lend()
        well = False
        try:
            answer = await work(Statements(connection, self.count))
            well = True
        finally:
            await self._lending.take_back(connection, well=well)
        return answer


def _version(migration: str) -> str:
    return migration.partition("_")[0]


async def _open_pool(
    options: Options, clock: Clock, draws: Draws
) -> "asyncpg.Pool[asyncpg.Record]":
    deadline = clock.mono() + options.start_s
    attempt, told = 0, ""
    while True:
        attempt += 1
        try:
            return await _connect(options)
        except Unavailable as error:
            wait = backoff.delay_s(backoff.RECONNECT, attempt, draws.unit())
            if clock.mono() + wait >= deadline:
                raise
            if error.detail != told:
                told = error.detail
                _log.info("waiting for Postgres at %s: %s", options.where, told)
            await clock.sleep(wait)


async def _connect(options: Options) -> "asyncpg.Pool[asyncpg.Record]":
    try:
        return await asyncpg.create_pool(
            options.url,
            min_size=options.connections_min,
            max_size=options.connections_max,
            max_inactive_connection_lifetime=0,
            command_timeout=_command_timeout_s(options),
            server_settings=options.server_settings(),
            reset=_keep_session_state,
        )
    except Exception as error:
        raise raise_ours(error) from error


def _command_timeout_s(options: Options) -> float | None:
    # The server's own timeout answers first; this one is for a server that answers no more.
    return options.statement_timeout_ms / 1000 + 5 if options.statement_timeout_ms else None


async def _keep_session_state(_: object) -> None:
    """Replaces asyncpg's four-statement reset: we set no session state, take no advisory locks."""
