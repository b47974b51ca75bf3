"""What api tells of its requests and streams."""

from collections.abc import Awaitable, Callable
from typing import cast

import httpx
from litestar.types import ASGIApp

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.measuring import Measured
from mainspring_api.adapters.http.server import HttpServer
from mainspring_api.adapters.http.services import Services
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.tally import Spread
from mainspring_runtime import names
from tests.api.test_resources import V1, made_session
from tests.api.watcher import watching


def measured(services: Services) -> Measured:
    return Measured(application(services), SystemClock())


def inside(app: Measured) -> httpx.AsyncClient:
    # httpx tells no kinds of scope apart.
    plain = cast("Callable[..., Awaitable[None]]", cast("object", app))
    transport = httpx.ASGITransport(app=plain)
    return httpx.AsyncClient(transport=transport, base_url="http://api")


def requests(app: Measured) -> dict[tuple[object, object, object], int]:
    return {
        (
            reading.attributes[names.HTTP_METHOD],
            reading.attributes.get(names.HTTP_ROUTE),
            reading.attributes[names.HTTP_STATUS],
        ): sum(reading.value.counts)
        for reading in app.readings()
        if isinstance(reading.value, Spread)
    }


def streams(app: Measured) -> float:
    (reading,) = [each for each in app.readings() if each.instrument is names.SSE_CLIENTS]
    assert not isinstance(reading.value, Spread)
    return reading.value


async def test_requests_are_told_apart_by_route_and_status_and_never_by_id(
    services: Services,
) -> None:
    app = measured(services)
    async with inside(app) as client:
        session = await made_session(client)
        for id_ in (session["id"], "session_" + "0" * 32, "session_" + "1" * 32):
            await client.get(f"{V1}/sessions/{id_}")
        await client.get("/nowhere/at/all")

    told = requests(app)

    gets = {
        (route, status): count
        for (method, route, status), count in told.items()
        if method == "GET" and "session_id" in str(route)
    }
    assert [(status, count) for (_, status), count in sorted(gets.items(), key=str)] == [
        (200, 1), (404, 2),
    ]  # fmt: skip
    assert told["GET", None, 404] == 1
    assert ("POST", f"{V1}/sessions", 201) in told


async def test_an_open_stream_is_counted_until_it_ends(services: Services) -> None:
    app = measured(services)
    server = HttpServer(cast("ASGIApp", app), "127.0.0.1", 0)
    await server.start()
    try:
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=base, timeout=10) as client:
            session = await made_session(client)
            async with watching(client, session, "?after_sequence=0") as watcher:
                await watcher.frames(1)
                during = streams(app)
            services.hub.drain()
    finally:
        await server.stop()

    assert during == 1
    assert streams(app) == 0
    assert not [route for _, route, _ in requests(app) if str(route).endswith("/sse")]
