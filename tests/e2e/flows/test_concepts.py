"""The examples of the pages on concepts, run as they stand there."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.e2e.flows.wire import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]
WITH_WORKERS = frozenset({"workflows", "toolsets"})
"""They bring a worker, and run where the address of the engine is known."""
PAGES = sorted(
    page for page in (ROOT / "docs" / "concepts").glob("*.md") if page.stem not in WITH_WORKERS
)
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)\n```\n\n```text\n(?P<printed>.*?)\n```", re.DOTALL)

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_the_example_prints_what_its_page_says(base_url: str, page: Path) -> None:
    example = EXAMPLE.search(page.read_text())
    assert example is not None
    environment = os.environ | {"EVERRUNS_API_URL": base_url, "EVERRUNS_API_KEY": "any"}

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", example["code"],
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        printed, _ = await process.communicate()

    assert printed.decode().rstrip("\n") == example["printed"].rstrip("\n")
