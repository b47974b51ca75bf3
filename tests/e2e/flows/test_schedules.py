"""Schedules as a user sees them: a slot falls due, a message comes, its turn completes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from tests.e2e.flows.wire import PATIENCE_S, Json, Wire, scripted, types, unique

pytestmark = [pytest.mark.stack]
PATH = "/durable/schedules"
OPEN = frozenset({"waiting", "buffered", "starting", "running"})


def saying(text: str, **target: object) -> Json:
    content = [{"type": "text", "text": text}]
    return {"type": "message", "message": {"content": content}, **target}


async def slots_of(wire: Wire, schedule: Json) -> list[Json]:
    """Newest first."""
    page = await wire.get(f"{PATH}/{schedule['id']}/executions?limit=100")
    return cast("list[Json]", page["data"])


async def ended(wire: Wire, schedule: Json, *, count: int = 1) -> list[Json]:
    """So many executions that ended, oldest first."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [e for e in await slots_of(wire, schedule) if e["status"] not in OPEN]
            if len(found) >= count:
                return found[::-1]
            await asyncio.sleep(0.1)


async def test_a_one_shot_sends_its_message_and_the_turn_completes(wire: Wire) -> None:
    session_id = await wire.session()
    at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()

    schedule = await wire.make(
        PATH,
        {
            "name": unique("once"),
            "at": at,
            "target": saying("Say hello.", session_id=session_id),
        },
    )
    waiting = await wire.get(f"/sessions/{session_id}")
    (slot,) = await ended(wire, schedule)
    over = await wire.get(f"/sessions/{session_id}")

    assert (waiting["active_schedule_count"], over["active_schedule_count"]) == (1, 0)
    assert (slot["status"], slot["session_id"]) == ("completed", session_id)
    frames = await wire.to_rest(session_id)
    assert types(frames).count("turn.completed") == 1
    message = next(f for f in frames if f.type == "input.message").member("message")
    assert message["id"] == slot["message_id"]
    assert cast("Json", message["metadata"])["schedule_id"] == schedule["id"]
    late = datetime.fromisoformat(str(slot["started_at"])) - datetime.fromisoformat(at)
    assert timedelta(0) <= late < timedelta(seconds=10)
    assert (await wire.get(f"{PATH}/{schedule['id']}"))["next_trigger_at"] is None


async def test_an_interval_makes_a_session_of_its_agent_for_each_slot(wire: Wire) -> None:
    name = unique("reporter")
    await wire.ask("POST", "/agents", {"name": name, "system_prompt": "You report."})

    schedule = await wire.make(
        PATH,
        {
            "name": unique("often"),
            "interval_seconds": 1,
            "overlap": "allow_all",
            "target": saying("Report.", session={"agent_name": name, "title": "Report"}),
        },
    )
    found = await ended(wire, schedule, count=3)
    await wire.ask("DELETE", f"{PATH}/{schedule['id']}")

    assert {one["status"] for one in found} == {"completed"}
    sessions = [str(one["session_id"]) for one in found]
    assert len(set(sessions)) == len(found)
    shown = await wire.get(f"/sessions/{sessions[0]}")
    assert shown["title"] == "Report"
    assert len({one["scheduled_at"] for one in found}) == len(found)


async def test_a_paused_schedule_fires_by_hand_alone(wire: Wire) -> None:
    session_id = await wire.session()
    schedule = await wire.make(
        PATH,
        {
            "name": unique("paused"),
            "interval_seconds": 1,
            "enabled": False,
            "target": saying("Say hello.", session_id=session_id),
        },
    )

    first = await wire.ask("POST", f"{PATH}/{schedule['id']}/trigger", idempotency_key="once")
    again = await wire.ask("POST", f"{PATH}/{schedule['id']}/trigger", idempotency_key="once")
    (slot,) = await ended(wire, schedule)

    assert first.json() == again.json()
    assert (slot["triggered_by"], slot["status"]) == ("manual", "completed")
    assert len(await slots_of(wire, schedule)) == 1
    frames = await wire.to_rest(session_id)
    assert types(frames).count("input.message") == 1


async def test_cancel_other_ends_the_turn_that_is_at_work(wire: Wire) -> None:
    session_id = await wire.session()
    slow = scripted("Write a lot.", turns=[{"text": "word " * 200}], latency={"token_ms": 300})
    schedule = await wire.make(
        PATH,
        {
            "name": unique("newest"),
            "interval_seconds": 3600,
            "overlap": "cancel_other",
            "target": saying(slow, session_id=session_id),
        },
    )
    path = f"{PATH}/{schedule['id']}"
    await wire.ask("POST", f"{path}/trigger")
    await wire.until(session_id, "output.message.delta")

    quick = saying("Say hello.", session_id=session_id)
    assert (await wire.ask("PATCH", path, {"target": quick})).status_code == 200
    await wire.ask("POST", f"{path}/trigger")

    first, second = await ended(wire, schedule, count=2)
    assert (first["status"], second["status"]) == ("cancelled", "completed")


async def test_a_target_that_is_gone_fails_its_slot_and_says_why(wire: Wire) -> None:
    session_id = await wire.session()
    schedule = await wire.make(
        PATH,
        {
            "name": unique("orphan"),
            "cron": "0 3 * * *",
            "timezone": "Europe/Prague",
            "target": saying("Say hello.", session_id=session_id),
        },
    )
    await wire.ask("DELETE", f"/sessions/{session_id}")

    await wire.ask("POST", f"{PATH}/{schedule['id']}/trigger")
    (slot,) = await ended(wire, schedule)

    assert slot["status"] == "failed"
    assert cast("Json", slot["error"])["code"] == "not_found"
