"""The run's database as its examiner sees it: by a way without faults."""

import asyncio
from typing import Final, TypeVar

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_local.errors import StartProblem
from mainspring_local.invariants import checks
from mainspring_local.stack import Stack
from mainspring_postgres import Database, Options

T = TypeVar("T")
NOT_WHILE_BREAKING: Final = frozenset({"timers_fire_in_time"})
"""What an outage may delay."""
UNREST: Final = """
    select json_build_object(
        'turns', (select count(*) from engine.workflow where outcome = 0),
        'tasks', (select count(*) from engine.task),
        'timers', (select count(*) from engine.timer),
        'messages', (select count(*) from engine.inbox where workflow_id is null)
    )
"""
STUCK: Final = """
    select coalesce(json_agg(s), '[]') from (
        select w.id, w.session_id, w.rev, t.step, t.state, t.fence, t.deaths, t.failures,
            t.acknowledged, t.run_at, t.lease_until, t.started_fence, now() as seen_at
        from engine.workflow as w
        left join engine.task as t on t.workflow_id = w.id
        where w.outcome = 0
        limit 10
    ) as s
"""
OUTCOMES: Final = """
    select coalesce(json_object_agg(outcome, n), '{}')
    from (select outcome, count(*) as n from engine.workflow group by outcome) as o
"""
ATTEMPTS: Final = """
    select coalesce(json_agg(json_build_object(
        'task', a.task_id, 'fence', a.fence, 'worker', w.name, 'closing', a.closing,
        'claimed_ms', (extract(epoch from a.claimed_at) * 1000)::bigint,
        'closed_ms', (extract(epoch from a.closed_at) * 1000)::bigint
    )), '[]')
    from engine.attempt as a
    left join engine.worker as w on a.incarnation = w.incarnation
    where exists (select from engine.attempt as b where b.task_id = a.task_id and b.closing <> 1)
"""
INBOX: Final = """
    select coalesce(json_object_agg(session_id, n), '{}')
    from (select session_id, count(*) as n from engine.inbox group by session_id) as i
"""
TAKEN_OVER: Final = """
    select json_build_object('n', count(*))
    from engine.task as t
    inner join engine.attempt as a on t.id = a.task_id and t.fence = a.fence + 1
    inner join engine.worker as w on a.incarnation = w.incarnation
    where t.state = 2 and t.effect <= 2 and w.name = '{worker}'
    and a.closed_at > to_timestamp({since_ms} / 1000.0)
"""
SUPERUSER_ENDS: Final = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where backend_type = 'client backend' and usename like '%\\_run' and usename <> 'verify_run'
    and random() < :part
"""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    task: str
    fence: int
    worker: str | None
    closing: int
    claimed_ms: int
    closed_ms: int


class Tables:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def ask(self, sql: str, type_: type[T]) -> T:
        """One JSON value. Raises StartProblem while the server is away."""
        printed = await asyncio.to_thread(self._stack.reading_postgres.psql, "-c", sql)
        return msgspec.json.decode(printed, type=type_)

    async def unrest(self) -> dict[str, int]:
        """What still goes on, by kind; empty at rest."""
        found = await self.ask(UNREST, dict[str, int])
        return {kind: count for kind, count in found.items() if count}

    async def taken_over(self, worker: str, since_ms: int) -> bool:
        """Whether somebody else works now at what that worker held."""
        sql = TAKEN_OVER.replace("{worker}", worker).replace("{since_ms}", str(since_ms))
        try:
            return bool((await self.ask(sql, dict[str, int]))["n"])
        except StartProblem:
            return False

    async def end_backends(self, part: float) -> None:
        """About that part of the services' connections."""
        try:
            await asyncio.to_thread(
                self._stack.postgres.psql, "-c", SUPERUSER_ENDS.replace(":part", str(part))
            )
        except StartProblem:
            return  # all have ended

    async def broken(self, *, resting: bool) -> list[str]:
        """Invariants that do not hold now. Raises MainspringError while the server is away."""
        # Asked for TLS, the driver leaves a future that nobody reads where its connect is cut.
        options = Options(
            url=f"{self._stack.reading_postgres.url()}?sslmode=disable",
            application_name="verify", connections_max=1, durability_required=False,
            statement_timeout_ms=60_000,
        )  # fmt: skip
        database = await Database.open(options)
        try:
            queries = [
                query for query in checks.invariants()
                if resting or query.name not in NOT_WHILE_BREAKING
            ]  # fmt: skip
            findings = await checks.examine(database, queries)
        finally:
            await database.close()
        return [f"{one.name}: {list(one.violating)}" for one in findings if one.violating]

    async def broken_if_up(self) -> list[str]:
        try:
            return await self.broken(resting=False)
        except MainspringError:
            return []
