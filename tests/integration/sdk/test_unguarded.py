"""A program that begins wherever it is imported, and whose worker has processes: they import it."""

import asyncio
import sys
from pathlib import Path

import pytest

PATIENCE_S = 60
OF_A_WORKER = """
import asyncio

from mainspring import Worker, step
from mainspring.computing import Processes


@step(cpu_bound=True)
def double(value: int) -> int:
    return 2 * value


async def main() -> None:
    async with Worker([double], processes=1) as worker:
        async with worker._processes.lent() as process:
            await process.ready(__name__)


asyncio.run(main())
"""
OF_A_FLEET = """
import asyncio

from mainspring import Fleet, step


@step
async def double(value: int) -> int:
    return 2 * value


asyncio.run(Fleet([double], processes=1).run())
"""


@pytest.mark.parametrize("source", [OF_A_WORKER, OF_A_FLEET])
async def test_a_program_without_a_guard_is_told_so_by_the_process_that_imports_it(
    tmp_path: Path, source: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(source)

    running = await asyncio.create_subprocess_exec(
        sys.executable, program, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert running.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while b'if __name__ == "__main__":' not in await anext(aiter(running.stderr)):
                pass
    finally:
        running.terminate()
        await running.wait()
