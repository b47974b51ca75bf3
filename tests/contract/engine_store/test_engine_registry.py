"""Which workers there are: attached where, drained, silent, gone."""

from uuid import UUID

from mainspring_engine.domain.limits import REPLICA_HEARD_S, REPLICA_SILENT_S, WORKER_KEPT_S
from mainspring_engine.ports.registry import Presence, Registration, Registry
from mainspring_schema.frames import Held
from mainspring_schema.operations import ListWorkers, WorkerView
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World

ALL = 100


async def registered(
    world: World, worker: Worker, *, replica: UUID | None = None, queue: str = "default"
) -> UUID:
    """At a replica that has not beaten yet; returns it."""
    replica = replica or IDS.uuid7()
    await world.backstage.registry.register(
        Registration(
            incarnation=worker.id,
            attach_number=worker.attach_number,
            replica=replica,
            queues=(queue,),
            capabilities=("", "maths"),
            slots=4,
        )
    )
    return replica


def presence(worker: Worker, *, attached: bool = True, **rest: bool) -> Presence:
    return Presence(
        incarnation=worker.id, attach_number=worker.attach_number, attached=attached, **rest
    )


async def seen(registry: Registry, worker: Worker) -> WorkerView:
    found = await registry.worker(worker.id)
    assert found is not None
    return found


async def test_a_registered_worker_shows_what_it_can_take_and_what_it_holds(
    world: World, worker: Worker, session: Session
) -> None:
    await registered(world, worker, queue="mail")
    await session.start_turn(session.task("a", claim=worker.claim), session.task("b"))

    view = await seen(world.backstage.registry, worker)

    assert (view.name, view.build, view.status) == ("worker", "b1", "active")
    assert (view.queues, view.capabilities, view.slots) == (("mail",), ("", "maths"), 4)
    assert (view.held, view.drained_ms, view.left_ms, view.leaving) == (1, None, None, False)


async def test_an_unknown_worker_is_none(world: World) -> None:
    assert await world.backstage.registry.worker(IDS.uuid7()) is None


async def test_a_worker_is_gone_with_its_stream_and_back_with_the_next(
    world: World, worker: Worker
) -> None:
    registry = world.backstage.registry
    replica = await registered(world, worker)

    await registry.tell((presence(worker, attached=False),))
    gone = await seen(registry, worker)
    await registry.tell((presence(worker, attached=False),))
    again = await seen(registry, worker)
    worker.attach_number += 1
    await world.store.attach((worker.attach_row(),))
    await registered(world, worker, replica=replica)

    assert gone.status == "stopped"
    assert gone.left_ms is not None
    assert again.left_ms == gone.left_ms
    assert (await seen(registry, worker)).status == "active"


async def test_what_an_older_attach_tells_is_passed_over(world: World, worker: Worker) -> None:
    registry = world.backstage.registry
    replica = await registered(world, worker)
    older = presence(worker, attached=False)
    worker.attach_number += 1
    await world.store.attach((worker.attach_row(),))
    await registered(world, worker, replica=replica)

    await registry.tell((older,))

    assert (await seen(registry, worker)).status == "active"


async def test_silence_and_leaving_show(world: World, worker: Worker) -> None:
    registry = world.backstage.registry
    await registered(world, worker)

    await registry.tell((presence(worker, silent=True),))
    silent = await seen(registry, worker)
    await registry.tell((presence(worker, leaving=True),))
    leaving = await seen(registry, worker)

    assert silent.status == "silent"
    assert silent.silent_ms is not None
    assert (leaving.status, leaving.silent_ms, leaving.leaving) == ("draining", None, True)


async def test_a_dead_replica_takes_its_workers_with_it(world: World, worker: Worker) -> None:
    registry = world.backstage.registry
    replica = await registered(world, worker)

    await world.pass_time(REPLICA_SILENT_S + 1)
    dead = await seen(registry, worker)
    await registry.beat(replica)
    back = await seen(registry, worker)

    assert (dead.status, back.status) == ("stopped", "active")


async def test_a_drain_is_read_by_the_replica_that_has_the_stream(
    world: World, worker: Worker
) -> None:
    registry = world.backstage.registry
    replica = await registered(world, worker)
    other = IDS.uuid7()

    before = await registry.beat(replica)
    known = await registry.drain(worker.id, drained=True)

    assert (before, known) == (frozenset(), True)
    assert await registry.beat(replica) == {worker.id}
    assert await registry.beat(other) == frozenset()
    assert (await seen(registry, worker)).status == "draining"


async def test_an_attach_that_no_row_knows_is_named(world: World, worker: Worker) -> None:
    registry = world.backstage.registry
    await registered(world, worker)
    nobody, number = IDS.uuid7(), worker.attach_number

    unknown = await registry.unknown(((worker.id, number), (nobody, 1)))

    assert unknown == {nobody}
    assert await registry.unknown(((worker.id, number + 1),)) == {worker.id}
    assert await registry.unknown(((worker.id, number - 1),)) == frozenset()


async def test_a_drain_outlives_an_attach_elsewhere(world: World, worker: Worker) -> None:
    registry = world.backstage.registry
    await registered(world, worker)
    await registry.drain(worker.id, drained=True)
    worker.attach_number += 1
    await world.store.attach((worker.attach_row(),))

    drained = await registry.register(
        Registration(
            incarnation=worker.id,
            attach_number=worker.attach_number,
            replica=IDS.uuid7(),
            queues=(),
            capabilities=(),
            slots=1,
        )
    )

    assert drained


async def test_resuming_takes_the_drain_back(world: World, worker: Worker) -> None:
    registry = world.backstage.registry
    replica = await registered(world, worker)
    await registry.drain(worker.id, drained=True)

    await registry.drain(worker.id, drained=False)

    assert await registry.beat(replica) == frozenset()
    assert (await seen(registry, worker)).status == "active"


async def test_a_drain_of_nobody_says_so(world: World) -> None:
    assert not await world.backstage.registry.drain(IDS.uuid7(), drained=True)


async def test_lists_are_newest_first_by_status_and_queue_and_cut(world: World, queue: str) -> None:
    registry = world.backstage.registry
    workers = [await Worker.attached(world) for _ in range(4)]
    replica = IDS.uuid7()
    for worker in workers:
        await registered(world, worker, replica=replica, queue=queue)
    await registry.tell((presence(workers[0], attached=False),))
    await registry.drain(workers[1].id, drained=True)

    async def ids(asked: ListWorkers) -> list[UUID]:
        return [view.id for view in await registry.workers(asked)]

    newest_first = [worker.id for worker in reversed(workers)]
    assert await ids(ListWorkers(queue=queue, limit=ALL)) == newest_first[:3]
    assert await ids(ListWorkers(queue=queue, limit=1)) == newest_first[:2]
    assert (
        await ids(ListWorkers(queue=queue, after=newest_first[0], limit=ALL)) == (newest_first[1:3])
    )
    assert await ids(ListWorkers(queue=queue, status="stopped", limit=ALL)) == [workers[0].id]
    assert await ids(ListWorkers(queue=queue, status="draining", limit=ALL)) == [workers[1].id]
    assert await ids(ListWorkers(queue=f"{queue}x", limit=ALL)) == []


async def test_workers_that_stopped_long_ago_are_forgotten_but_not_who_holds_a_task(
    world: World, session: Session
) -> None:
    registry = world.backstage.registry
    gone, holding, young = [await Worker.attached(world) for _ in range(3)]
    for worker in (gone, holding):
        await registered(world, worker)
    task = session.task("a", claim=holding.claim)
    await session.start_turn(task)
    await world.store.renew((holding.renewal(Held(task.id, 1)),))
    await world.pass_time(WORKER_KEPT_S + 1)
    await registered(world, young)

    removed = await registry.forget()

    assert removed >= 1
    assert await registry.worker(gone.id) is None
    assert await registry.worker(holding.id) is not None


async def test_engines_are_found_by_what_their_active_workers_offer(
    world: World, worker: Worker
) -> None:
    registry, queue = world.backstage.registry, f"q-{IDS.uuid7().hex}"
    replica = await registered(world, worker, queue=queue)

    async def found(capability: str = "maths", *, limit: int = 3) -> tuple[UUID, ...]:
        return await registry.replicas_of(queue, capability, limit=limit)

    active, other, none = await found(), await found("letters"), await found(limit=0)
    ours = await registry.replicas_of(queue, "maths", build="b1", limit=3)
    of_others = await registry.replicas_of(queue, "maths", build="b2", limit=3)
    await registry.drain(worker.id, drained=True)
    drained = await found()
    await registry.drain(worker.id, drained=False)
    await registry.tell((presence(worker, silent=True),))
    silent = await found()
    await registry.tell((presence(worker, attached=False),))

    assert (active, other, none) == ((replica,), (), ())
    assert (ours, of_others) == ((replica,), ())
    assert (drained, silent, await found()) == ((), (), ())


async def test_an_engine_that_is_not_heard_of_is_not_found(world: World, worker: Worker) -> None:
    registry, queue = world.backstage.registry, f"q-{IDS.uuid7().hex}"
    replica = await registered(world, worker, queue=queue)

    await world.pass_time(REPLICA_SILENT_S + 1)
    gone = await registry.replicas_of(queue, "maths", limit=3)
    await registry.beat(replica)

    assert gone == ()
    assert await registry.replicas_of(queue, "maths", limit=3) == (replica,)


async def test_engines_that_are_heard_of_are_known_with_their_streams(world: World) -> None:
    registry = world.backstage.registry
    workers = [await Worker.attached(world) for _ in range(3)]
    replica = await registered(world, workers[0])
    for worker in workers[1:]:
        await registered(world, worker, replica=replica)
    idle, gone = IDS.uuid7(), await registered(world, await Worker.attached(world))
    await world.pass_time(REPLICA_HEARD_S + 1)
    for alive in (replica, idle):
        await registry.beat(alive)
    await registry.tell((presence(workers[0], attached=False),))

    shares = await registry.shares()

    assert {id_: shares.get(id_) for id_ in (replica, idle, gone)} == {
        replica: 2,
        idle: 0,
        gone: None,
    }


async def test_the_youngest_workers_word_on_a_toolset_stands(world: World) -> None:
    registry = world.backstage.registry
    first, second, third = (IDS.uuid7() for _ in range(3))
    name = f"shop-{first.hex[-12:]}"
    await registry.announce(second, name, b"new")
    await registry.announce(first, name, b"old")
    await registry.announce(second, name, b"the same worker says it once")

    assert await registry.toolsets((name,), limit=ALL) == (b"new",)

    await registry.announce(third, name, b"rolled back")
    assert await registry.toolsets((name, "nobody"), limit=ALL) == (b"rolled back",)


async def test_toolsets_come_by_their_names(world: World) -> None:
    registry = world.backstage.registry
    worker = IDS.uuid7()
    names = [f"{letter}-{worker.hex[-12:]}" for letter in ("b", "a", "c")]
    for name in names:
        await registry.announce(worker, name, name.encode())

    found = await registry.toolsets(tuple(names), limit=2)
    every = await registry.toolsets((), limit=1000)

    assert found == tuple(name.encode() for name in sorted(names)[:2])
    assert {name.encode() for name in names} <= set(every)
    assert await registry.toolsets(("nobody",), limit=ALL) == ()
