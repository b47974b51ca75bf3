"""People who post until they are answered, twice where they please, and cancel at times.

Each keeps a log of every try and its answer: what was acknowledged must be there at the end.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

import httpx
import msgspec

from tests.chaos.found import Findings
from tests.chaos.listening import AWAY, Json, Listener
from tests.chaos.service import CAPABILITY, CLASSES

TURNS_PER_SESSION: Final = 12
"""Then a new one: sessions stay small, and many are looked at in the end."""
AGAIN_S: Final = 0.25
PATIENCE_S: Final = 45.0
"""A person who saw no outcome for so long says the next thing."""
SHORT_CALL_MS: Final = 300
LONG_CALL_MS: Final = 12_000
LONG_CALLS: Final = 0.05
KILLING_CALLS: Final = 0.005
"""They end their worker between the effect and its report."""
ANSWER: Final = "The lamp is lit, the letter is on its way and the bill is paid, so rest a while."


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the driver. `status` is 0 where no answer came."""

    at_s: float
    session: str
    key: str
    status: int
    message: str = ""
    took_s: float = 0.0


class Person:
    """Talks in one session after the other."""

    def __init__(
        self, number: int, seed: int, apis: Sequence[str], folder: Path, findings: Findings
    ) -> None:
        self.tries: list[Try] = []
        self.listeners: list[Listener] = []
        self.acknowledged: dict[str, str] = {}
        """Sessions by the ids of the messages that were taken."""
        self.turn_s: list[float] = []
        self._number = number
        self._draws = random.Random(f"person {seed} {number}")
        self._apis, self._folder, self._findings = apis, folder, findings
        self._http = httpx.AsyncClient(trust_env=False, timeout=15)
        self._said = 0

    async def talk(self, over: asyncio.Event) -> None:
        """Until it is over; each session has two clients that listen."""
        while not over.is_set():
            session = await self._session()
            steady, hopping = (
                Listener(
                    session, self._apis, self._folder / f"{session}.{name}", self._findings,
                    hops=name == "hops",
                )
                for name in ("stays", "hops")
            )  # fmt: skip
            self.listeners += [steady, hopping]
            for _ in range(TURNS_PER_SESSION):
                if over.is_set():
                    break
                await self._say(session, steady)
                await asyncio.sleep(self._draws.random() * 0.5)
            # In an hour there are more sessions than this machine could listen to at once. What
            # they still have to hear they fetch in the end.
            for listener in (steady, hopping):
                await listener.detach()

    async def close(self) -> None:
        for listener in self.listeners:
            await listener.detach()
        await self._http.aclose()

    # ── what is said ────────────────────────────────────────────────────────────────────────────

    async def _session(self) -> str:
        body: Json = {"capabilities": [{"ref": CAPABILITY}]}
        answer = await self._insist("", "/sessions", body)
        return str(answer["id"])

    async def _say(self, session: str, listener: Listener) -> None:
        self._said += 1
        text = self._script() if self._draws.random() < 0.85 else "Hello again."
        path, body, key = f"/sessions/{session}/messages", message(text), uuid4().hex
        began = time.monotonic()
        twice = self._draws.random() < 0.1
        answers = await asyncio.gather(
            *(self._insist(session, path, body, key=key) for _ in range(1 + twice))
        )
        ids = {str(answer["id"]) for answer in answers}
        if len(ids) > 1:
            self._findings.add("duplicate", f"one key became messages {sorted(ids)}")
        taken = ids.pop()
        self.acknowledged[taken] = session
        if self._draws.random() < 0.1:
            await asyncio.sleep(self._draws.random())
            await self._cancel(session)
        await self._outcome(listener, taken, began)

    async def _outcome(self, listener: Listener, taken: str, began: float) -> None:
        def at_rest() -> bool:
            accepted = listener.seq_of(taken)
            return bool(accepted) and listener.seq_of("session.idled") > accepted

        try:
            async with asyncio.timeout(PATIENCE_S):
                await listener.until(at_rest)
            self.turn_s.append(time.monotonic() - began)
        except TimeoutError:
            return  # the end of the run says whether it ever came

    async def _cancel(self, session: str) -> None:
        try:
            answer = await self._http.post(f"{self._api()}/sessions/{session}/cancel")
        except httpx.TransportError:
            return  # nobody knows; the turn ends either way
        if not answer.is_success and answer.status_code not in AWAY:
            self._findings.add("answer", f"cancel answered {answer.status_code}: {answer.text}")

    async def _insist(self, session: str, path: str, body: Json, *, key: str = "") -> Json:
        """Posts with one key until it is taken."""
        headers = {"Idempotency-Key": key or uuid4().hex}
        while True:
            began = time.monotonic()
            status, found = 0, Json()
            try:
                answer = await self._http.post(f"{self._api()}{path}", json=body, headers=headers)
                status = answer.status_code
                if answer.is_success:
                    found = cast("Json", answer.json())
                if not answer.is_success and status not in AWAY:
                    self._findings.add("answer", f"{path} answered {status}: {answer.text[:300]}")
            except (httpx.TransportError, ValueError):
                pass
            self.tries.append(
                Try(
                    at_s=began, session=session, key=headers["Idempotency-Key"], status=status,
                    message=str(found.get("id", "")), took_s=time.monotonic() - began,
                )
            )  # fmt: skip
            if found:
                return found
            await asyncio.sleep(AGAIN_S * (0.5 + self._draws.random()))

    def _api(self) -> str:
        return self._draws.choice(self._apis)

    def _script(self) -> str:
        """Model calls with parallel tools of every class, and trouble that a retry overcomes."""
        draws = self._draws
        turns: list[Json] = []
        for round_ in range(draws.choice((0, 1, 1, 2))):
            names = [draws.choice(sorted(CLASSES)) for _ in range(draws.choice((1, 2, 4, 8)))]
            turns.append({
                "text": "Let me see.",
                "tool_calls": [
                    {"name": name, "arguments": self._arguments(f"{round_}-{index}")}
                    for index, name in enumerate(names)
                ],
            })  # fmt: skip
        turns.append({"text": ANSWER})
        for turn in turns:
            if draws.random() < 0.05:
                turn["error"] = {"kind": "overloaded", "after_chars": 4, "attempts": 1}
        block = {"turns": turns, "latency": {"ttft_ms": 20, "token_ms": draws.choice((0, 0, 20))}}
        return f"Play.\n```llmsim\n{msgspec.json.encode(block).decode()}\n```"

    def _arguments(self, place: str) -> Json:
        """Most calls are short; some outlive the lease of a worker that freezes in them."""
        draws = self._draws
        most_ms = LONG_CALL_MS if draws.random() < LONG_CALLS else SHORT_CALL_MS
        made: Json = {
            "token": f"{self._number}-{self._said}-{place}",
            "before_ms": round(most_ms * draws.random()),
            "after_ms": round(SHORT_CALL_MS * draws.random()),
        }
        if draws.random() < KILLING_CALLS:
            made["kills"] = True
        return made


def message(text: str) -> Json:
    return {"message": {"role": "user", "content": [{"type": "text", "text": text}]}}
