"""The health of the engine on the wire."""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_kernel.times import rfc3339
from mainspring_schema.operations import Health, QueueHealth


class QueueOut(Struct, frozen=True, kw_only=True):
    """Open tasks of one route; `expected_wait_seconds` null where nobody serves it."""

    queue: str
    capability: str
    build: str
    model: str
    ready: int
    leased: int
    delayed: int
    waiting: int
    oldest_ready_seconds: float
    slots: int
    expected_wait_seconds: float | None


def queue_out(queue: QueueHealth) -> QueueOut:
    wait_ms = queue.expected_wait_ms
    return QueueOut(
        queue=queue.queue,
        capability=queue.capability,
        build=queue.build,
        model=queue.model,
        ready=queue.ready,
        leased=queue.leased,
        delayed=queue.delayed,
        waiting=queue.waiting,
        oldest_ready_seconds=queue.oldest_ms / 1000,
        slots=queue.slots,
        expected_wait_seconds=None if wait_ms is None else wait_ms / 1000,
    )


class TaskCounts(Struct, frozen=True, kw_only=True):
    """Open tasks; `at_least` where more are open than one look counts."""

    ready: int
    leased: int
    delayed: int
    waiting: int
    at_least: bool


class WorkerCountsOut(Struct, frozen=True, kw_only=True):
    active: int
    silent: int
    draining: int


class HealthOut(Struct, frozen=True, kw_only=True):
    """The engine over all organizations. `load_percentage`: slots of active workers in use."""

    status: Annotated[str, Meta(pattern="^(ok|attention)$")]
    problems: tuple[str, ...]
    at: str
    tasks: TaskCounts
    workers: WorkerCountsOut
    workers_accepting: int
    slots: int
    load_percentage: float
    dlq_size: int
    engines: int
    sweep_ages_seconds: dict[str, float]
    queues: tuple[QueueOut, ...]


def health_out(health: Health) -> HealthOut:
    workers = health.workers
    return HealthOut(
        status="attention" if health.problems else "ok",
        problems=health.problems,
        at=rfc3339(health.at_ms),
        tasks=TaskCounts(
            ready=sum(queue.ready for queue in health.queues),
            leased=sum(queue.leased for queue in health.queues),
            delayed=sum(queue.delayed for queue in health.queues),
            waiting=sum(queue.waiting for queue in health.queues),
            at_least=health.cut,
        ),
        workers=WorkerCountsOut(
            active=workers.active, silent=workers.silent, draining=workers.draining
        ),
        workers_accepting=workers.active,
        slots=workers.slots,
        load_percentage=round(100 * workers.held / workers.slots, 1) if workers.slots else 0.0,
        dlq_size=health.dead_letters,
        engines=health.replicas,
        sweep_ages_seconds={kind: age / 1000 for kind, age in health.sweeps_ms.items()},
        queues=tuple(queue_out(queue) for queue in health.queues),
    )
