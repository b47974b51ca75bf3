"""What the recipes share: a client, a model, and a turn that is told as it happens.

COOKBOOK_MODEL names the model, as `GET /v1/models` does. Without it the simulated model plays its
part from a script of the recipe in `scripts/`, the n-th message with the n-th entry.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from everruns_sdk import Everruns
from everruns_sdk.models import Event

SIMULATOR = "llmsim"
SCRIPTS = Path(__file__).with_name("scripts")
OUTCOMES = {"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"}
SHOWN_CHARACTERS = 60


class Kitchen:
    """`url` is where the API answers, for what the SDK has no method for."""

    def __init__(self, client: Everruns, url: str, model_id: str, scripts: list[object]) -> None:
        self.client = client
        self.url = url
        self.model_id = model_id
        self._scripts = iter(scripts)

    async def ask(self, session_id: str, text: str) -> str:
        """Says something to a session, and tells what comes of it; the answer."""
        await self.client.messages.create(session_id, self.played(text))
        answer = ""
        async for event in told(self.client.events.stream(session_id)):
            answer = said(event) or answer
        return answer

    def played(self, text: str) -> str:
        """The message, with the simulated model's part in it where that is the one who plays."""
        script = next(self._scripts, None)
        if script is None:
            return text
        # A child's script may stand in its parent's, whose block would end where that one begins.
        part = json.dumps(script).replace("```", r"\u0060" * 3)
        return f"{text}\n```llmsim\n{part}\n```"


@asynccontextmanager
async def kitchen(recipe: str, **words: str) -> AsyncGenerator[Kitchen]:
    """`words` are filled into the script where it says `{{name}}`."""
    url = os.environ.get("EVERRUNS_API_URL", "http://127.0.0.1:9000/api")
    wanted = os.environ.get("COOKBOOK_MODEL", SIMULATOR)
    async with Everruns(os.environ.get("EVERRUNS_API_KEY", "any"), url) as client:
        models = [one for one in await client.models.list() if wanted in (one.id, one.model_id)]
        if not models:
            sys.exit(f"there is no model {wanted}")
        scripts = _scripts(recipe, words) if wanted == SIMULATOR else []
        yield Kitchen(client, url, models[0].id, scripts)


async def told(stream: AsyncIterator[Event]) -> AsyncGenerator[Event]:
    """The events of a turn, whose calls and answers are printed. Exits where it fails."""
    async for event in stream:
        if event.type == "output.message.completed":
            if said(event):
                print(said(event))
            for call in event.tool_calls():
                print(f"  {call.name}({_first(call.arguments)})")
        yield event
        if event.type in OUTCOMES:
            if event.type != "turn.completed":
                sys.exit(f"{event.type}: {event.data}")
            return


def said(event: Event) -> str:
    """The text of a message that is complete."""
    if event.type != "output.message.completed":
        return ""
    parts = event.data["message"]["content"]
    return "".join(part["text"] for part in parts if part["type"] == "text")


def _first(arguments: dict[str, object]) -> str:
    """The first argument, which says what a call is about."""
    text = repr(next(iter(arguments.values()), ""))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _scripts(recipe: str, words: dict[str, str]) -> list[object]:
    text = (SCRIPTS / f"{recipe}.json").read_text()
    for name, value in words.items():
        text = text.replace("{{" + name + "}}", value)
    return json.loads(text)
