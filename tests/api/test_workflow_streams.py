"""A workflow's history as a stream that ends with it."""

import httpx
import pytest

from mainspring import Client
from mainspring_kernel.ids import Prefix, from_wire
from tests.api.backend import Backend
from tests.api.test_workflows import UNKNOWN, URL, started
from tests.api.watcher import Opened

pytestmark = pytest.mark.enable_socket


def end(backend: Backend, id_: str) -> None:
    backend.end_workflow(from_wire(Prefix.WORKFLOW, id_), b"1")


async def test_a_stream_ends_with_its_workflow(live: httpx.AsyncClient, backend: Backend) -> None:
    id_ = await started(live)

    async with Opened(live, f"{URL}/{id_}/sse", {}) as watcher:
        first = await watcher.frame()
        end(backend, id_)
        rest = await watcher.until_end()

    assert [type_ for type_, _, _ in (first, *rest)] == ["workflow.started", "workflow.completed"]


async def test_the_stream_of_an_ended_workflow_is_its_history(
    live: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await started(live)
    end(backend, id_)

    async with Opened(live, f"{URL}/{id_}/sse", {}) as watcher:
        frames = await watcher.until_end()
    async with Opened(live, f"{URL}/{id_}/sse", {"last-event-id": frames[0][1]}) as watcher:
        rest = await watcher.until_end()

    assert [type_ for type_, _, _ in frames] == ["workflow.started", "workflow.completed"]
    assert rest == frames[1:]


@pytest.mark.parametrize("query", ["", "?types=workflow.started"])
async def test_who_has_seen_all_of_an_ended_workflow_is_not_to_come_again(
    query: str, live: httpx.AsyncClient, backend: Backend
) -> None:
    """A browser asks again whenever a stream ends, but for this answer."""
    id_ = await started(live)
    end(backend, id_)
    async with Opened(live, f"{URL}/{id_}/sse{query}", {}) as watcher:
        frames = await watcher.until_end()

    again = await live.get(f"{URL}/{id_}/sse{query}", headers={"last-event-id": frames[-1][1]})

    assert (again.status_code, again.content) == (204, b"")


async def test_who_has_seen_all_of_a_workflow_that_goes_on_waits_for_its_end(
    live: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await started(live)
    async with Opened(live, f"{URL}/{id_}/sse", {}) as watcher:
        _, seen, _ = await watcher.frame()

    async with Opened(live, f"{URL}/{id_}/sse", {"last-event-id": seen}) as watcher:
        end(backend, id_)
        rest = await watcher.until_end()

    assert [type_ for type_, _, _ in rest] == ["workflow.completed"]


async def test_only_workflows_have_such_a_stream(live: httpx.AsyncClient) -> None:
    assert (await live.get(f"{UNKNOWN}/sse")).status_code == 404


async def test_a_client_follows_a_workflow_to_its_end(
    live: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await started(live)
    seen: list[object] = []

    async with Client(str(live.base_url)) as client:
        async for event in client.handle(id_).events():
            seen.append(event["type"])
            if event["type"] == "workflow.started":
                end(backend, id_)

    assert seen == ["workflow.started", "workflow.completed"]
