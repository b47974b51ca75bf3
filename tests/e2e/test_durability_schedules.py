"""Schedules while schedulers, apis and the database die: each slot sends its message once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest

from tests.e2e.follower import PATIENCE_S, Json
from tests.e2e.rig import LOOK_S, Rig, until
from tests.e2e.test_workflows import Workers

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
PATH = "/durable/schedules"


@pytest.fixture
def workers(rig: Rig, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(rig, tmp_path)
    yield workers
    workers.end()


async def every_second(rig: Rig, session_id: str) -> str:
    """The path of a schedule that says hello each second, whatever else is at work."""
    body: Json = {
        "name": uuid4().hex,
        "interval_seconds": 1,
        "overlap": "allow_all",
        "target": {
            "type": "message",
            "session_id": session_id,
            "message": {"content": [{"type": "text", "text": "Say hello."}]},
        },
    }
    return f"{PATH}/{(await rig.call('POST', PATH, body))['id']}"


async def insisted(rig: Rig, method: str, path: str) -> Json:
    """Asked until it is answered: while a part is away, api says 503."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await rig.call(method, path)
            except (httpx.TransportError, AssertionError):
                await asyncio.sleep(LOOK_S)


async def slots_of(rig: Rig, path: str) -> list[Json]:
    page = await insisted(rig, "GET", f"{path}/executions?limit=100")
    return cast("list[Json]", page["data"])


async def until_completed(rig: Rig, path: str, count: int) -> list[Json]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await slots_of(rig, path)
            if sum(slot["status"] == "completed" for slot in found) >= count:
                return found
            await asyncio.sleep(LOOK_S)


async def at_rest(rig: Rig, path: str) -> list[Json]:
    """All slots of a schedule that was paused, once each has ended."""
    await insisted(rig, "POST", f"{path}/pause")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await slots_of(rig, path)
            if all(slot["ended_at"] for slot in found):
                return found
            await asyncio.sleep(LOOK_S)


async def messages_of(rig: Rig, session_id: str) -> Counter[str]:
    """How often the log has each message, by its id."""
    path = f"/sessions/{session_id}/events?types=input.message&limit=1000"
    page = await insisted(rig, "GET", path)
    events = cast("list[dict[str, dict[str, dict[str, str]]]]", page["data"])
    return Counter(event["data"]["message"]["id"] for event in events)


@pytest.mark.parametrize("victim", ["scheduler", "api", "postgres"])
async def test_what_dies_loses_and_doubles_no_slot(rig: Rig, victim: str) -> None:
    session_id = await rig.session()
    path = await every_second(rig, session_id)
    await until_completed(rig, path, 2)

    for _ in range(2):
        await rig.kill(victim)()
        await until_completed(rig, path, len(await slots_of(rig, path)))
    slots = await at_rest(rig, path)

    sent = [str(slot["message_id"]) for slot in slots if slot["status"] != "skipped"]
    assert await messages_of(rig, session_id) == Counter(sent)
    assert {slot["status"] for slot in slots} <= {"completed", "skipped"}
    assert len({slot["scheduled_at"] for slot in slots}) == len(slots)
    await rig.assert_sound()


async def test_two_schedulers_share_the_slots_of_one_schedule(rig: Rig) -> None:
    await rig.bring(rig.program("scheduler-2", service="scheduler"))
    session_id = await rig.session()
    path = await every_second(rig, session_id)

    await until_completed(rig, path, 4)
    await rig.retire("scheduler-2")
    slots = await at_rest(rig, path)

    sent = [str(slot["message_id"]) for slot in slots if slot["status"] == "completed"]
    assert await messages_of(rig, session_id) == Counter(sent)
    await rig.assert_sound()


async def test_a_slot_starts_its_workflow_once_although_schedulers_die(
    rig: Rig, workers: Workers
) -> None:
    workers.start()
    target: Json = {"type": "workflow", "workflow_type": "checkout", "input": ["A-30"]}
    body: Json = {"name": uuid4().hex, "cron": "0 3 * * *", "target": target}
    path = f"{PATH}/{(await rig.call('POST', PATH, body))['id']}"

    await rig.call("POST", f"{path}/trigger")
    back = rig.kill("scheduler")
    await until(lambda: workers.count("pack") == 1, "its second step is at work")
    await back()
    (workers.calls / "gate").touch()

    (slot,) = await until_completed(rig, path, 1)
    flow = await insisted(rig, "GET", f"/durable/workflows/{slot['workflow_id']}")
    assert flow["result"] == ["receipt of A-30", "shipped a-30"]
    assert str(flow["key"]).startswith("schedule:")
    assert (workers.count("charge"), workers.count("ship")) == (1, 1)
    await rig.assert_sound()
