"""What processes keep in memory at rest: nothing. What is left would stay as long as they live."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

from collections.abc import Iterator
from typing import Any

from tests.sim.wiring import SLOTS
from tests.sim.world import World


def at_rest(world: World) -> Iterator[str]:
    up = {place: running.program for place, running in world.places.items() if running.host.up}
    workers = {place: it for place, it in up.items() if place.startswith("worker")}
    cores = {it._core._identity.incarnation: it._core for it in workers.values()}
    for place, worker in workers.items():
        yield from _of_worker(place, worker)
    for place, program in up.items():
        if place.startswith("engine"):
            yield from _of_streams(place, program, cores)
            yield from _of_engine(place, program)
        elif place.startswith("api"):
            yield from _of_api(place, program.hub)


def _of_worker(place: str, worker: Any) -> Iterator[str]:
    """What it has done was answered."""
    core = worker._core
    for one in core.held:
        yield f"{place} holds on to {one.task_id.hex} at fence {one.fence}"
    kept = {
        "busy slots": core._busy,
        "entries": core._entries,
        "newest attempts": core._newest,
        "unnamed": core._unnamed,
        "wanted": core._wanted,
        "attempts": worker._attempts is not None and worker._attempts._open,
        "results to send": core._out.results,
        "events to send": core._out.emits,
        "progress to send": core._out.progress,
        "tasks to give back": core._out.returned,
    }
    yield from _left(place, kept)


def _of_streams(place: str, engine: Any, cores: dict[Any, Any]) -> Iterator[str]:
    """Each slot of a worker is known as free: one that is lost count of is idle for ever."""
    for seat in engine._roster.all():
        core = cores.get(seat.incarnation)
        mine = core is not None and core._attach_number == seat.attach_number
        if mine and seat.free_slots != SLOTS:
            yield f"{place} has {seat.free_slots} of {SLOTS} slots of {seat.incarnation.hex}"
    for stream in engine._attachments.all():
        if stream.held:
            yield f"{place} believes that {stream.incarnation.hex} holds {list(stream.held)}"


def _of_engine(place: str, engine: Any) -> Iterator[str]:
    kept = {
        "marks of ready tasks": engine._backlog._marks,
        "routes short of credits": engine._backlog._short,
        # Without a worker here they are counted anew once there is news of any.
        "tasks counted": engine._roster.free() and engine._pressure._depths._by_org,
        "in lanes": [it for lane in engine._lanes._lanes for it in lane._waiting],
        "signals to bring": engine._couriers._came,
        "queries": engine._queries._open,
        "timers in lanes": engine.sweeps._unsettled._in_lanes,
        "losses in lanes": engine._leases._unsettled._in_lanes,
        "holders": engine._attachments._holders,
        "in the background": engine._worker_streams._background,
    }
    yield from _left(place, kept)


def _of_api(place: str, hub: Any) -> Iterator[str]:
    """Each stream is counted while somebody reads it: a count that stays is a place lost."""
    read = sum(len(follower.subscribers) for follower in hub._followers.values())
    if hub.streams != read:
        yield f"{place} counts {hub.streams} streams, and {read} are read"
    yield from _left(place, {"followers that start": hub._starting})


def _left(place: str, kept: dict[str, Any]) -> Iterator[str]:
    for name, things in kept.items():
        if things:
            yield f"{place} has {name}: {str(things)[:120]}"
