"""The examples of the pages on concepts, run as they stand there."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = frozenset({"own-capabilities", "tasks", "toolsets", "workflows"})
"""They bring a worker, or a capability, and run in tests of their own."""
PAGES = sorted(
    page for page in (ROOT / "docs" / "concepts").glob("*.md") if page.stem not in ELSEWHERE
)
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)\n```\n\n```text\n(?P<printed>.*?)\n```", re.DOTALL)
RUNNER = Path(__file__).with_name("examples.py")
ALL_S = 100.0

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


def example(page: Path) -> re.Match[str]:
    found = EXAMPLE.search(page.read_text())
    assert found is not None, f"{page.name} has no example with what it prints"
    return found


@pytest.fixture(scope="module")
async def printed(base_url: str) -> dict[str, str]:
    """What each example printed. One process for all: importing the SDK takes longer than most."""
    programs = {page.stem: str(example(page)["code"]) for page in PAGES}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", str(RUNNER),
        env=os.environ | {"EVERRUNS_API_URL": base_url, "EVERRUNS_API_KEY": "any"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdin.write(json.dumps(programs).encode())
    process.stdin.close()
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(ALL_S):
            while line := await process.stdout.readline():
                name, text = msgspec.json.decode(line, type=tuple[str, str])
                found[name] = text
    except TimeoutError:
        process.kill()  # the tests of those that are missing say which one hung
    await process.wait()
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_prints_what_its_page_says(printed: dict[str, str], page: Path) -> None:
    assert page.stem in printed, "it never ended, or one before it did not"
    assert printed[page.stem].rstrip("\n") == str(example(page)["printed"]).rstrip("\n")
