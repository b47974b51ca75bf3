"""Tools of a worker of one's own on the whole stack: called by turns, and killed in mid call."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import msgspec
import pytest

from tests.e2e.follower import PATIENCE_S, Follower, Json
from tests.e2e.rig import LOOK_S, Rig, Script, calls, until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "concepts" / "toolsets.md"
WORDS = 20_000


class Toolbox:
    """Processes with the tools of `tests.e2e.toolbox`."""

    def __init__(self, rig: Rig, calls: Path) -> None:
        self._engine = rig.stack.address("engine")
        self.calls = calls
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.toolbox", self._engine],
            env=os.environ | {"PROGRAM_CALLS": str(self.calls), "PYTHONPATH": str(ROOT)},
        )
        self._running.append(process)
        return process

    def told(self, name: str) -> list[str]:
        path = self.calls / name
        return path.read_text().splitlines() if path.exists() else []

    def open(self) -> None:
        (self.calls / "gate").touch()

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def toolbox(rig: Rig, tmp_path: Path) -> Iterator[Toolbox]:
    toolbox = Toolbox(rig, tmp_path)
    yield toolbox
    toolbox.end()


async def announced(rig: Rig) -> None:
    async with httpx.AsyncClient(base_url=rig.api) as http, asyncio.timeout(PATIENCE_S):
        while not (await http.get("/capabilities/toolset:toolbox")).is_success:  # noqa: ASYNC110 - another process's word
            await asyncio.sleep(LOOK_S)


async def shop(rig: Rig) -> str:
    body: Json = {"capabilities": [{"ref": "toolset:toolbox"}]}
    return str((await rig.call("POST", "/sessions", body))["id"])


def results(follower: Follower) -> dict[str, Json]:
    return {frame.text("tool_name"): frame.data for frame in follower.of("tool.completed")}


def text_of(told: Json) -> str:
    (part,) = cast("list[Json]", told["result"])
    return str(part["text"])


async def test_what_a_killed_worker_was_calling_ends_by_its_effect_class(
    rig: Rig, toolbox: Toolbox
) -> None:
    first = toolbox.start()
    await announced(rig)
    order: Json = {"order": "A-17"}
    made = calls(("refund", order), ("announce", order), ("pay", order))
    session = await shop(rig)
    async with rig.following(session) as follower:
        await rig.say(session, Script([made, {"text": "Done."}]).text())
        for name in ("refund", "announce", "pay"):
            await until(lambda name=name: bool(toolbox.told(name)), f"{name} is called")

        first.kill()
        toolbox.start()
        await until(lambda: len(toolbox.told("refund")) > 1, "another worker calls again")
        toolbox.open()
        outcome = await follower.until_outcome()

    assert outcome.type == "turn.completed"
    told = results(follower)
    assert text_of(told["refund"]) == '{"refunded":"A-17"}'
    assert "whether it took effect is not known" in str(told["announce"]["error"])
    assert text_of(told["pay"]) == "A-17 was paid before"
    assert len(set(toolbox.told("refund"))) == 1, "the key is the same in every attempt"
    assert [len(toolbox.told(name)) for name in ("announce", "pay")] == [1, 1]
    assert toolbox.told("was_paid")
    await rig.assert_sound()


async def test_a_call_waits_for_a_worker_and_says_so_and_a_long_result_is_a_file(
    rig: Rig, toolbox: Toolbox
) -> None:
    first = toolbox.start()
    await announced(rig)
    first.kill()
    first.wait()
    session = await shop(rig)
    script = Script([calls(("recite", {"words": WORDS})), {"text": "That was much."}])
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        await follower.until_type("tool.started")
        async with asyncio.timeout(PATIENCE_S):
            while "toolset:toolbox/recite" not in str(await explained(rig, session)):  # noqa: ASYNC110 - the engine's row
                await asyncio.sleep(LOOK_S)

        toolbox.start()
        outcome = await follower.until_outcome()

    shown = msgspec.json.decode(text_of(results(follower)["recite"]), type=Json)
    file = await rig.call("GET", f"/sessions/{session}/fs{shown['output_file']}")
    assert outcome.type == "turn.completed"
    assert (shown["truncated"], file["content"]) == (True, "words " * WORDS)
    await rig.assert_sound()


async def test_calls_of_one_class_are_made_one_after_the_other(rig: Rig, toolbox: Toolbox) -> None:
    toolbox.start()
    await announced(rig)
    session = await shop(rig)
    made = calls(*(("enter", {"line": line}) for line in ("one", "two", "three")))
    async with rig.following(session) as follower:
        await rig.say(session, Script([made, {"text": "Done."}]).text())
        outcome = await follower.until_outcome()

    kinds = [f.type for f in follower.frames if f.type in ("tool.started", "tool.completed")]
    assert outcome.type == "turn.completed"
    assert kinds == ["tool.started", "tool.completed"] * 3
    assert toolbox.told("ledger") == [
        f"{line} {what}" for line in ("one", "two", "three") for what in ("begins", "ends")
    ]


async def explained(rig: Rig, session: str) -> Json:
    return await rig.call("GET", f"/durable/explain/{session}")


async def test_the_pages_example_prints_what_it_says(rig: Rig) -> None:
    example = re.search(
        r"```python\n(.*?)\n```\n\n```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL
    )
    assert example is not None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", example[1],
        env=os.environ
        | {
            "MAINSPRING_ENGINE_ADDR": rig.stack.address("engine"),
            "EVERRUNS_API_URL": f"{rig.stack.api_url}/api",
            "EVERRUNS_API_KEY": "any",
        },
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await process.communicate()

    assert (process.returncode, printed.decode().rstrip("\n")) == (0, example[2])
