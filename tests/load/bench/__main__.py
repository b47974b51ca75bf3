"""Measures a stack and says what it reached: `python -m tests.load.bench`, or `./task bench`."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_local.environment import project_root
from mainspring_local.errors import StartProblem
from mainspring_runtime.open_files import open_files
from tests.load.bench import arguments, compare, page, report
from tests.load.bench.arguments import Arguments, Comparison
from tests.load.bench.conduct import conduct
from tests.load.bench.crew import BenchFailed
from tests.load.bench.peers import ratios
from tests.load.bench.peers.course import SECONDS_MAX as PEER_SECONDS_MAX
from tests.load.bench.peers.course import bring_packages
from tests.load.bench.report import Report
from tests.load.bench.rounds import middle
from tests.load.bench.wire import WireProblem

INTERRUPTED: Final = 130
SECONDS_MAX: Final = 480.0
"""Of a bench that names no scenario: far above what it takes, below what anyone would wait for."""


async def until_stopped(work: Awaitable[Report]) -> Report | None:
    """None where a signal ended it first; all it started has ended then as well."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.ensure_future(work)
    signalled = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return None
    return working.result()


async def bounded(parsed: Arguments, folder: Path) -> Report:
    # Longer ones are asked for by name: those may take their time.
    own_s = SECONDS_MAX + len(parsed.peers) * PEER_SECONDS_MAX
    async with asyncio.timeout(None if parsed.scenarios else own_s):
        return await conduct(parsed, folder)


async def in_rounds(parsed: Arguments, folder: Path) -> Report:
    """Each round has a folder and a stack of its own; what is left of a failed one stays."""
    found: list[Report] = []
    for number in range(1, parsed.rounds + 1):
        if parsed.rounds > 1:
            print(f"bench: round {number} of {parsed.rounds}", file=sys.stderr, flush=True)
        own = folder / f"round{number}"
        own.mkdir()
        found.append(await bounded(parsed, own))
        shutil.rmtree(own, ignore_errors=True)
    return middle(found)


def measured(parsed: Arguments) -> int:
    folder = Path(tempfile.mkdtemp(prefix="mainspring-bench-"))
    began = time.monotonic()
    open_files()  # as well of its clients, each of which may be a thousand workers
    try:
        if parsed.peers:
            bring_packages()
        found = asyncio.run(until_stopped(in_rounds(parsed, folder)))
    except (BenchFailed, StartProblem, WireProblem, MainspringError, OSError) as error:
        print(f"bench: failed: {str(error) or repr(error)}{kept_logs(folder)}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if found is None:
        print("bench: stopped", file=sys.stderr)
        return INTERRUPTED
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    found = msgspec.structs.replace(found, seconds=time.monotonic() - began, measured_at=at)
    write(parsed, found)
    return 0


def kept_logs(folder: Path) -> str:
    logs = next(folder.glob("round*/home/logs"), None)
    if logs is None:
        return ""
    kept = folder.with_name(f"{folder.name}-logs")
    shutil.copytree(logs, kept)
    return f"; logs are kept in {kept}"


def write(parsed: Arguments, found: Report) -> None:
    if parsed.json is not None:
        parsed.json.write_bytes(report.encode(found))
    if parsed.html is not None:
        parsed.html.write_text(page.render(found))
    print(report.render(found))
    beside = ratios.render(found.figures)
    if beside:
        print(f"{beside}\n")
    print(
        f"{len(report.missed(found.figures))} targets missed; commit {found.commit}, "
        f"{found.machine['cores']} cores, {found.seconds:.0f} s"
    )


def compared(words: Sequence[str]) -> int:
    """1 where a limit is given and a figure lost more, is gone, or none is there to compare."""
    parsed = arguments.comparison_parser().parse_args(words, namespace=Comparison())
    try:
        before = report.decode(parsed.before.read_bytes())
        after = report.decode(parsed.after.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        print(f"bench: cannot compare: {error}", file=sys.stderr)
        return 2
    print(compare.render(before, after))
    if parsed.limit is None:
        return 0
    found = compare.changes(before.figures, after.figures)
    lost = compare.worse(found, parsed.limit / 100)
    if lost:
        print(f"lost more than {parsed.limit:g} %: {', '.join(lost)}")
    missing = compare.gone(before, after)
    if missing:
        print(f"measured with the same settings before, and not now: {', '.join(missing)}")
    return 1 if lost or missing or not found else 0


def main(words: Sequence[str]) -> int:
    if words[:1] == ["compare"]:
        return compared(words[1:])
    if words[:1] == ["peers"]:
        return measured(arguments.parse_peers(words[1:]))
    return measured(arguments.parse(words))


if __name__ == "__main__":
    given = sys.argv[1:]
    os.chdir(project_root())
    sys.exit(main(given))
