"""A server that speaks Chat Completions, as vLLM, Ollama and many hosts do, answers turns."""

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
ANSWER = ("Grüße ", "\ud83d", "\ude00", " there")
"""With a character that the server cuts in two."""


class Completions(BaseHTTPRequestHandler):
    """Streams ANSWER, to whoever asks."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200 if self.path == "/v1/chat/completions" else 404)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for text in ANSWER:
            self._send({"content": text}, None)
        self._send({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, delta: dict[str, str], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "own-1",
            "choices": [choice],
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Says nothing."""


@contextmanager
def completions() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Completions)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


async def test_a_compatible_server_answers_without_a_key(wire: Wire) -> None:
    with completions() as url:
        provider = await made(
            wire,
            "providers",
            name=unique("compatible"),
            provider_type="openai_completions",
            base_url=url,
        )
        model = await made(wire, "models", provider_id=provider["id"], model_id="own-1")
        session = await wire.session(model_id=model["id"])
        await wire.say(session, "Hello")

        frames = await wire.to_rest(session)

    (answer,) = [frame for frame in frames if frame.type == "output.message.completed"]
    message = cast("dict[str, list[Json]]", answer.data["message"])
    assert message["content"][0]["text"] == "Grüße \N{GRINNING FACE} there"
