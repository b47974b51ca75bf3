"""Tasks under keys: claimed by their route as any other, limited by each of their keys."""

import asyncio

import msgspec
import pytest

from mainspring_engine.adapters.memory import MemoryGates
from mainspring_engine.adapters.postgres import PostgresGates
from mainspring_engine.domain.limit import KeyLimit, with_rate
from mainspring_engine.domain.plain import NewPlain, made_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.gates import Drawn, GateStore, TokenDraw
from mainspring_engine.ports.store import ClaimLimit
from mainspring_schema.operations import ListTasks
from mainspring_schema.plain import SubmitTask
from tests.contract.engine_store.engine_worlds import (
    IDS,
    MemoryWorld,
    PostgresWorld,
    Worker,
    World,
    claim,
)

ORG = IDS.uuid7()


@pytest.fixture
def gates(world: World) -> GateStore:
    """Over the tables of the world."""
    if isinstance(world, MemoryWorld):
        return MemoryGates(world.memory.tables, lock=world.lock, clock=world.clock)
    assert isinstance(world, PostgresWorld)
    return PostgresGates(world.database)


def keyed(queue: str, *keys: str, circuit: str = "") -> NewPlain:
    command = SubmitTask(
        org_id=ORG, task_id=IDS.uuid7(), type="add", queue=queue, keys=keys, circuit=circuit
    )
    return made_of(command)


def at_most(at_once: int, key: str, *routes: Route) -> tuple[ClaimLimit, ...]:
    return tuple(ClaimLimit(route=route, key=f"key/{key}", at_once=at_once) for route in routes)


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_is_claimed_and_listed_with_its_keys(
    world: World, worker: Worker, queue: str
) -> None:
    task, bare = keyed(queue, "customer:7", "b", circuit="stripe"), keyed(queue)
    await world.store.plain.submit((task, bare))

    (listed, other) = await world.backstage.inspection.tasks(
        ListTasks(org_id=ORG, queue=queue, limit=9)
    )
    (claimed,) = await worker.take(9, task.route)

    keys = ("circuit/stripe", "key/b", "key/customer:7")
    assert (listed.id, listed.keys, listed.model) == (task.id, keys, "")
    assert (other.id, other.keys) == (bare.id, ())
    assert (claimed.held.task_id, claimed.route.keys) == (task.id, keys)
    sample = await world.backstage.inspection.sample()
    assert {task.route, bare.route} <= {route.route for route in sample.routes}


async def test_a_limit_counts_over_all_routes_that_bear_its_key(
    world: World, worker: Worker, queue: str
) -> None:
    key = f"k-{queue}"
    tasks = [keyed(queue, key, f"{queue}-{n % 2}") for n in range(6)]
    await world.store.plain.submit(tuple(tasks))
    routes = (tasks[0].route, tasks[1].route)
    wants = [worker.want(3, route) for route in routes]

    taken = await claim(world.store, *wants, limits=at_most(4, key, *routes))
    again = await claim(world.store, *wants, limits=at_most(4, key, *routes))

    assert (len(taken), len(again)) == (4, 0)


async def test_each_of_a_tasks_keys_may_hold_it(world: World, worker: Worker, queue: str) -> None:
    narrow, wide = f"n-{queue}", f"w-{queue}"
    tasks = [keyed(queue, narrow, wide) for _ in range(3)]
    await world.store.plain.submit(tuple(tasks))
    route = tasks[0].route
    limits = (*at_most(2, wide, route), *at_most(1, narrow, route))

    taken = await claim(world.store, worker.want(3, route), limits=limits)

    assert len(taken) == 1


async def test_claims_under_the_same_keys_never_wait_for_each_other_in_a_ring(
    world: World, queue: str
) -> None:
    one, two = f"1-{queue}", f"2-{queue}"
    # Each pair of routes bears the keys in another order of routes.
    firsts = [keyed(queue, one), keyed(queue, two)]
    seconds = [keyed(f"{queue}-b", two), keyed(f"{queue}-b", one)]
    for task in (*firsts, *seconds):
        await world.store.plain.submit((task,))
    workers = [await Worker.attached(world) for _ in range(8)]

    async def take(number: int) -> int:
        pair = [task.route for task in (firsts if number % 2 else seconds)]
        limits = tuple(ClaimLimit(route=route, key=route.keys[0], at_once=1_000) for route in pair)
        wants = [workers[number].want(1, route) for route in pair]
        return len(await claim(world.store, *wants, limits=limits))

    taken = await asyncio.gather(*(take(number) for number in range(8)))

    assert sum(taken) == 4


# ── families of limits ──────────────────────────────────────────────────────────────────────────


async def test_a_key_stands_under_its_own_limit_or_that_of_its_narrowest_family(
    gates: GateStore, queue: str
) -> None:
    stem = f"key/{queue}:"
    await gates.set_limit(KeyLimit(key=f"{stem}*", at_once=5))
    await gates.set_limit(KeyLimit(key=f"{stem}a*", at_once=3))
    await gates.set_limit(KeyLimit(key=f"{stem}a1", at_once=1))

    found = await gates.limits((f"{stem}a1", f"{stem}a2", f"{stem}b", f"key/none-{queue}"))

    assert [(limit.key, limit.at_once, limit.family) for limit in found] == [
        (f"{stem}a1", 1, ""),
        (f"{stem}a2", 3, f"{stem}a*"),
        (f"{stem}b", 5, f"{stem}*"),
    ]


async def test_what_runs_is_shown_by_key_family_and_queue(
    world: World, worker: Worker, gates: GateStore, queue: str
) -> None:
    tasks = [keyed(queue, f"{queue}:{n % 2}") for n in range(3)]
    await world.store.plain.submit(tuple(tasks))
    for key in (f"key/{queue}:*", f"queue:{queue}"):
        await gates.set_limit(KeyLimit(key=key, at_once=9))
    for n in range(2):
        limits = at_most(9, f"{queue}:{n}", tasks[n].route)
        await claim(world.store, worker.want(3, tasks[n].route), limits=limits)

    found = await gates.limits((f"key/{queue}:0", f"key/{queue}:*", f"queue:{queue}"))

    assert [limit.running for limit in found] == [3, 2, 3]


async def test_each_key_of_a_family_has_a_bucket_of_its_own(gates: GateStore, queue: str) -> None:
    family = f"key/{queue}:*"
    await gates.set_limit(with_rate(KeyLimit(key=family), 60, 60_000))

    async def drawn(name: str) -> Drawn:
        draw = TokenDraw(key=f"key/{queue}:{name}", wanted=5, family=family)
        (found,) = await gates.draw_tokens((draw,))
        return found

    found = [await drawn(name) for name in ("a", "a", "b")]
    standing = await gates.limits((f"key/{queue}:a", f"key/{queue}:c"))

    assert [one.granted for one in found] == [5, 1, 5]
    assert [int(limit.tokens) for limit in standing] == [0, 6]


async def test_buckets_of_a_family_are_forgotten_once_they_are_full_and_its_own_is_kept(
    gates: GateStore, queue: str
) -> None:
    slow, fast, own = f"key/{queue}-s:*", f"key/{queue}-f:*", f"key/{queue}-own"
    await gates.set_limit(with_rate(KeyLimit(key=slow), 1, 3_600_000))
    await gates.set_limit(with_rate(KeyLimit(key=fast), 1_000_000, 1_000))
    await gates.set_limit(with_rate(KeyLimit(key=own), 1, 3_600_000))
    draws = (
        TokenDraw(key=f"key/{queue}-s:1", wanted=1, family=slow),
        TokenDraw(key=f"key/{queue}-f:1", wanted=0, family=fast),
        TokenDraw(key=own, wanted=1),
    )
    await gates.draw_tokens(tuple(sorted(draws, key=lambda draw: draw.key)))

    assert await gates.forget_buckets(1_000) >= 1

    again = [msgspec.structs.replace(draw, wanted=1) for draw in (draws[0], draws[2])]
    assert [one.granted for one in await gates.draw_tokens(tuple(again))] == [0, 0]
    await gates.drop_limit(slow)
    assert await gates.forget_buckets(1_000) >= 1


async def test_draws_of_many_engines_for_a_new_key_make_one_bucket(
    gates: GateStore, queue: str
) -> None:
    family = f"key/{queue}:*"
    await gates.set_limit(with_rate(KeyLimit(key=family), 200, 60_000))
    draw = TokenDraw(key=f"key/{queue}:a", wanted=5, family=family)

    found = await asyncio.gather(*(gates.draw_tokens((draw,)) for _ in range(12)))

    assert sum(one.granted for (one,) in found) == 20
