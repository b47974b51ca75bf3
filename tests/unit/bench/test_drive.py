"""A process that drives a peer ends by its own failure, also while its order may go on."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[3]
FAILING = dedent("""
    import asyncio
    from tests.load.bench.peers.drive import until_input_ends

    async def fail():
        raise ValueError("too many open files")

    asyncio.run(until_input_ends(fail()))
""")
ENDLESS = dedent("""
    import asyncio
    from tests.load.bench.peers.drive import until_input_ends

    asyncio.run(until_input_ends(asyncio.sleep(3600)))
""")
LEAVING = dedent("""
    import asyncio
    from tests.load.bench.peers.drive import until_input_ends

    async def begun(leaving):
        await leaving.wait()
        print("ended", flush=True)

    async def main():
        leaving = asyncio.Event()
        await until_input_ends(begun(leaving), leaving)

    asyncio.run(main())
""")
ENDS_S = 60.0
"""Far above what a start of Python takes."""


async def test_a_failure_is_told_and_ends_it_though_its_input_stays_open() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FAILING, stdin=PIPE, stderr=PIPE, cwd=ROOT
    )
    assert process.stderr is not None

    async with asyncio.timeout(ENDS_S):
        told = await process.stderr.read()
        status = await process.wait()

    assert status == 1
    assert b"too many open files" in told


async def test_the_end_of_its_input_ends_what_goes_on() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENDLESS, stdin=PIPE, cwd=ROOT
    )
    assert process.stdin is not None

    process.stdin.close()
    async with asyncio.timeout(ENDS_S):
        assert await process.wait() == 0


async def test_who_may_leave_ends_first_what_was_begun() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAVING, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert process.stdin is not None

    process.stdin.close()
    async with asyncio.timeout(ENDS_S):
        out, _ = await process.communicate()

    assert (process.returncode, out) == (0, b"ended\n")
