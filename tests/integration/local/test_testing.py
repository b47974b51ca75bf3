"""What a developer's own tests have of the environment that skips time."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from mainspring import (
    Retry,
    WaitTimedOut,
    WorkflowFailed,
    on_query,
    run_child,
    sleep,
    step,
    wait_for_signal,
    workflow,
)
from mainspring_local import testing
from mainspring_local.testing import NothingDue, StillAtWork, environment

calls: list[int] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.clear()


@step(retry=Retry(attempts=5, first_s=60.0))
async def charge(cents: int) -> int:
    calls.append(cents)
    if len(calls) < 4:
        message = "the bank is closed"
        raise RuntimeError(message)
    return cents


@workflow
async def subscription(months: int) -> int:
    paid = 0
    on_query(lambda: paid, name="paid")
    for _ in range(months):
        await sleep(timedelta(days=30))
        paid += await charge(5)
    return paid


@workflow
async def approval() -> str:
    try:
        return await wait_for_signal("decision", timeout_s=3600, type=str)
    except WaitTimedOut:
        return "nobody decided"


@workflow
async def order() -> tuple[int, str]:
    return await asyncio.gather(run_child(subscription, 1), run_child(approval))


@workflow
async def report() -> str:
    return "done"


@workflow
async def for_ever() -> None:
    while True:
        await sleep(timedelta(days=1))


async def test_a_year_passes_at_once_and_in_order() -> None:
    async with environment(subscription, charge) as env:
        began = env.now()
        handle = await env.client.start(subscription, 12)

        assert await env.result_of(handle) == 60
        assert timedelta(days=360) <= env.now() - began < timedelta(days=361)
        assert len(calls) == 12 + 3  # attempts that a minute and more would be between


async def test_what_comes_due_within_a_skip_is_done_and_no_more() -> None:
    async with environment(subscription, charge, warm=0) as env:
        handle = await env.client.start(subscription, 12)
        await env.skip(timedelta(days=95))

        assert await handle.query("paid") == 15
        assert not (await handle.describe()).ended


async def test_a_signal_comes_before_its_timeout_or_behind_it() -> None:
    async with environment(approval) as env:
        early, late = await env.client.start(approval), await env.client.start(approval)
        await env.skip(3000)
        await early.signal("decision", "yes")
        await env.skip(3000)

        assert (await early.result(), await late.result()) == ("yes", "nobody decided")


async def test_children_are_waited_for_through_their_time() -> None:
    async with environment(order, subscription, approval, charge) as env:
        assert await env.result_of(await env.client.start(order)) == (5, "nobody decided")


async def test_what_time_does_not_bring_is_said() -> None:
    @workflow
    async def stuck() -> None:
        await wait_for_signal("never")

    async with environment(stuck) as env:
        with pytest.raises(NothingDue, match="waits for the signal never"):
            await env.result_of(await env.client.start(stuck))


async def test_what_never_ends_is_found_out() -> None:
    async with environment(for_ever) as env:
        with pytest.raises(TimeoutError, match="has not ended within 3 days"):
            await env.result_of(await env.client.start(for_ever), within=timedelta(days=3))


async def test_work_that_nobody_takes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "SETTLE_S", 0.1)
    async with environment(approval) as env:
        handle = await env.client.start(subscription, 1)

        with pytest.raises(StillAtWork, match="workflow:subscription is ready, and nobody takes"):
            await env.result_of(handle)


async def test_a_failed_workflow_fails_here_too() -> None:
    @workflow
    async def broken() -> None:
        await sleep(3600)
        raise ValueError

    async with environment(broken) as env:
        with pytest.raises(WorkflowFailed):
            await env.result_of(await env.client.start(broken))


async def test_a_task_is_tried_again_at_its_times() -> None:
    async with environment(charge) as env:
        await env.skip(timedelta(days=40))
        began = env.now()

        assert await env.result_of(await env.client.submit(charge, 7)) == 7
        assert env.now() - began > timedelta(seconds=30)


async def test_a_schedule_fires_at_each_of_its_times() -> None:
    nightly = {
        "name": "nightly",
        "cron": "0 3 * * *",
        "timezone": "UTC",
        "target": {"type": "workflow", "workflow_type": "report"},
    }
    async with environment(report) as env, httpx.AsyncClient(base_url=env.url) as http:
        made = await http.post("/api/v1/durable/schedules", json=nightly)
        assert made.status_code == 201, made.text
        await env.skip(timedelta(days=3))

        listed = await http.get("/api/v1/durable/workflows")
        assert [one["status"] for one in listed.json()["data"]] == ["completed"] * 3


ASKED_FIRST = {"ref": "tool_approval", "config": {"tools": {"add": "ask"}, "expires_seconds": 900}}
ADD = """Add.
```llmsim
{"turns": [{"tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]}, {"text": "Well."}]}
```"""


async def test_an_approval_that_nobody_gives_is_over_when_its_time_is() -> None:
    async with environment() as env, httpx.AsyncClient(base_url=f"{env.url}/api/v1") as http:
        capabilities = [{"ref": "test_math"}, ASKED_FIRST]
        made = await http.post("/sessions", json={"capabilities": capabilities})
        url = f"/sessions/{made.json()['id']}"
        said = {"message": {"content": [{"type": "text", "text": ADD}]}}
        await http.post(f"{url}/messages", json=said)

        await env.skip(timedelta(seconds=890))
        before = (await http.get(f"{url}/pending")).json()["pending_approvals"]
        await env.skip(timedelta(seconds=11))
        events = (await http.get(f"{url}/events")).json()["data"]

    assert len(before) == 1
    (told,) = [one["data"] for one in events if one["type"] == "tool.completed"]
    assert told["status"] == "timeout"
    assert events[-1]["type"] == "session.idled"
