"""How each peer is used: the fast path of its documents, and as much work as takes some seconds."""

from typing import Final

from msgspec import Struct


class Traits(Struct, frozen=True, kw_only=True):
    """`how` says in one line which of its ways is taken."""

    how: str
    tasks: int
    """Of the throughput."""
    batch: int = 1
    """Tasks per call, where the peer documents bulk submission."""
    callers: int = 32
    """Submitting at once, in one process."""
    workers: int = 2
    """Processes that handle tasks, besides the caller's."""
    steps: bool = True
    """Whether it has workflows of durable steps."""
    handlers: int = 0
    """Processes that handle workflows; without any the callers do it themselves."""
    callers_processes: int = 1
    """Processes that start workflows."""
    samples: int = 100
    """Of the dispatch; fewer where each takes long."""


OURS: Final = Traits(
    how="one call of the SDK's client per task, SDK workers in processes of their own",
    tasks=30_000,
    callers=1024,
    workers=4,
)
"""One call per task, as the promise says; whatever comes together shares requests and commits."""

TRAITS: Final[dict[str, Traits]] = {
    "pgqueuer": Traits(
        how="asyncpg, enqueue in batches of 100, dequeue in batches of 100, two worker processes",
        tasks=20_000,
        batch=100,
        callers=4,
        steps=False,
    ),
    "procrastinate": Traits(
        how="psycopg with its C half, batches of 100, two worker processes of concurrency 30",
        tasks=1_000,
        batch=100,
        callers=4,
        steps=False,
    ),
    "dbos": Traits(
        how="plain steps in threads of the caller's process; a queue polled every 10 ms, not 1 s",
        tasks=400,
        workers=1,
        callers_processes=2,
        samples=40,
    ),
    "restate": Traits(
        how="its server as it comes; handlers on hypercorn over HTTP/2, steps by ctx.run_typed",
        tasks=1_500,
        callers=64,
        workers=1,
        handlers=1,
    ),
    "temporal": Traits(
        how="its development server as it comes, all in memory; no sandbox, steps are activities",
        tasks=150,
        workers=1,
        handlers=1,
        samples=40,
    ),
}
"""In the order of the report."""
