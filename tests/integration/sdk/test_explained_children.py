"""Why a workflow does not move that waits for a child, which waits for another."""

import httpx

from mainspring import run_child, wait_for_signal, workflow
from mainspring_local.testing import environment


@workflow
async def payment() -> None:
    await wait_for_signal("paid")


@workflow
async def invoice() -> None:
    await run_child(payment)


@workflow
async def order() -> None:
    await run_child(invoice)


async def test_the_answer_of_a_parent_says_what_its_children_wait_for() -> None:
    async with environment(order, invoice, payment) as env, httpx.AsyncClient() as http:
        handle = await env.client.start(order)
        await env.settled()

        found = (await http.get(f"{env.url}/api/v1/durable/explain/{handle.id}")).json()

    assert found["moving"] is False
    assert "waits for its child invoice" in found["summary"]
    assert "waits for its child payment" in found["summary"]
    assert "waits for the signal paid" in found["summary"]
