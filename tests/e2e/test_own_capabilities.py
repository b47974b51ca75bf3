"""A capability of one's own in process: the page's example on `mainspring dev`, and refusals."""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring_testkit.servers import free_port
from tests.e2e import stacks
from tests.e2e.stacks import Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("dev")]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "own-capabilities.md"
MODULE, PROGRAM = re.findall(r"```python\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
PRINTED = PAGE.read_text().rpartition("```text\n")[2].partition("```")[0]
Starter = Callable[[str], Stack]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Starter]:
    (tmp_path / "shop.py").write_text(MODULE)
    started: list[Stack] = []

    def make(capabilities: str) -> Stack:
        stack = Stack(
            "dev",
            home=tmp_path / "home",
            MAINSPRING_API_PORT=str(port),
            MAINSPRING_CAPABILITIES=capabilities,
            PYTHONPATH=str(tmp_path),
        )
        started.append(stack)
        return stack

    yield make
    for stack in started:
        stack.end()


async def test_the_pages_example_prints_what_it_says(start: Starter, port: int) -> None:
    stack = start("shop:SHOP")
    stack.wait_line(stacks.READY)

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", PROGRAM,
        env=os.environ
        | {"EVERRUNS_API_URL": f"http://127.0.0.1:{port}/api", "EVERRUNS_API_KEY": "any"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await process.communicate()

    assert (process.returncode, printed.decode()) == (0, PRINTED)


def test_what_cannot_be_used_is_one_clear_line(start: Starter) -> None:
    stack = start("shop:SHOP,nowhere:IT")

    assert stack.wait() != 0
    assert "MAINSPRING_CAPABILITIES: nowhere:IT: it cannot be imported" in stack.lines[-1]
