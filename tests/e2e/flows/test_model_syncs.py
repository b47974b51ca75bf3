"""Providers are asked for their models, through a worker: the simulator, and one over HTTP."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest

from tests.e2e.flows.test_fallbacks import made
from tests.e2e.flows.wire import Json, Wire, unique

pytestmark = pytest.mark.stack
KEY = "sk-canary-of-a-sync"
LATER = (503, 504)
ASKED_AGAIN = 3


class Listing(BaseHTTPRequestHandler):
    """Lists what the test says, to whoever has the key."""

    def do_GET(self) -> None:
        server = cast("Listener", self.server)
        opened = self.headers.get("authorization") == f"Bearer {KEY}"
        known = opened and self.path == "/v1/models"
        data = [{"id": model, "object": "model"} for model in server.models]
        body = {"data": data} if known else {"error": {"message": "no such key here"}}
        text = json.dumps(body).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Says nothing."""


class Listener(ThreadingHTTPServer):
    models: tuple[str, ...] = ()


@contextmanager
def listener() -> Generator[Listener]:
    server = Listener(("127.0.0.1", 0), Listing)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


async def sync(wire: Wire, provider: Json) -> tuple[int, Json]:
    """As a client asks: again, where a worker that loads its libraries takes too long at first."""
    path = f"/providers/{provider['id']}/sync-models"
    answer = await wire.ask("POST", path)
    for _ in range(ASKED_AGAIN):
        if answer.status_code in LATER:
            answer = await wire.ask("POST", path)
    return answer.status_code, cast("Json", answer.json())


async def test_the_simulator_tells_its_models_and_one_of_them_answers(wire: Wire) -> None:
    provider = await made(wire, "providers", name=unique("sim"), provider_type="llmsim")

    status, told = await sync(wire, provider)

    assert (status, told["found"]) == (200, 2)
    models = {str(one["model_id"]): one for one in cast("list[Json]", told["models"])}
    assert models["llmsim"]["source"] == "discovered"
    session = await wire.session(model_id=models["llmsim"]["id"])
    await wire.say(session, "Hello.")
    frames = await wire.to_rest(session)
    assert "turn.completed" in [frame.type for frame in frames]


async def test_a_provider_over_http_is_asked_with_the_sealed_key(wire: Wire) -> None:
    with listener() as server:
        server.models = ("big-1", "text-embedding-3", "small-1")
        provider = await made(
            wire, "providers", name=unique("http"), provider_type="openai", api_key=KEY,
            base_url=f"http://127.0.0.1:{server.server_port}/v1",
        )  # fmt: skip
        first = await sync(wire, provider)
        server.models = ("big-1",)
        second = await sync(wire, provider)
        changed = await wire.ask("PATCH", f"/providers/{provider['id']}", {"api_key": "sk-other"})
        third = await sync(wire, provider)

    assert [first[0], second[0], third[0]] == [200, 200, 502], (first, second, third)
    assert (first[1]["added"], first[1]["skipped"]) == (2, 1)
    assert (second[1]["added"], second[1]["stale"]) == (0, 1)
    assert (changed.status_code, third[1]["code"]) == (200, "provider_failed")
    assert third[1]["detail"] == (
        f"{provider['name']} (provider_misconfigured): status 401: no such key here"
    )
    assert KEY not in json.dumps([first, second, third])
    kept = (await wire.get(f"/providers/{provider['id']}/models"))["data"]
    stale = {one["model_id"]: one["stale"] for one in cast("list[Json]", kept)}
    assert stale == {"big-1": False, "small-1": True}
