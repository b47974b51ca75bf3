"""`python`: an interpreter in a process of its own, whose every look outside is answered here."""

import asyncio
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, cast

from pydantic_monty import (
    AsyncMonty,
    CollectStreams,
    MemoryFile,
    MontyCrashedError,
    MontyError,
    MontyFileHandle,
    MontySyntaxError,
    OSAccess,
    ResourceLimits,
)

from mainspring_harness.builtin.python import TIMEOUT_S_DEFAULT
from mainspring_schema.codec import to_json
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files.places import ROOT
from mainspring_worker.adapters.builtin_tools.sandbox.running import (
    CAPTURED_BYTES_MAX,
    MEMORY_BYTES_MAX,
    SHOWN_BYTES_MAX,
    Ended,
    patience_s,
    run,
)
from mainspring_worker.adapters.builtin_tools.sandbox.tree import Tree
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

LOOKS_MAX: Final = 100_000
"""Questions of one program about files; each costs this process some time."""
_PLACE: Final = PurePosixPath(ROOT)


async def python(arguments: Json, context: ToolContext) -> ToolOutcome:
    """One program in a new process."""
    seconds = patience_s(arguments, context, TIMEOUT_S_DEFAULT)

    async def script(before: Tree) -> Ended:
        return await _run(str(arguments["code"]), before, seconds)

    return await run(context, script)


class BoundedFiles(OSAccess):
    """Files in this process' memory, which a program fills no further than it may its own."""

    def __init__(self, before: Tree) -> None:
        files = [MemoryFile(ROOT + path, content) for path, content in before.files.items()]
        super().__init__(files)
        self._room = MEMORY_BYTES_MAX
        for directory in ("", *sorted(before.directories)):
            self.path_mkdir(PurePosixPath(ROOT + directory), parents=True, exist_ok=True)

    def path_write_text(self, path: PurePosixPath | MontyFileHandle, data: str) -> int:
        self._take(len(data) * 4)
        return super().path_write_text(path, data)

    def path_write_bytes(self, path: PurePosixPath | MontyFileHandle, data: bytes) -> int:
        self._take(len(data))
        return super().path_write_bytes(path, data)

    def path_append_text(self, path: PurePosixPath | MontyFileHandle, data: str) -> int:
        self._take(len(data) * 4)
        return super().path_append_text(path, data)

    def path_append_bytes(self, path: PurePosixPath | MontyFileHandle, data: bytes) -> int:
        self._take(len(data))
        return super().path_append_bytes(path, data)

    def left(self) -> Tree:
        """What is there now."""
        files: dict[str, bytes] = {}
        directories: set[str] = set()
        for path in self._below(_PLACE):
            shown = str(path).removeprefix(ROOT)
            if self.path_is_dir(path):
                directories.add(shown)
            else:
                files[shown] = self.path_read_bytes(path)
        return Tree(files=files, directories=frozenset(directories))

    def _below(self, folder: PurePosixPath) -> Iterator[PurePosixPath]:
        if not self.path_is_dir(folder):
            return
        for path in self.path_iterdir(folder):
            yield path
            yield from self._below(path)

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            message = f"a program writes at most {MEMORY_BYTES_MAX} bytes"
            raise OSError(message)


async def _run(code: str, before: Tree, seconds: float) -> Ended:
    files, printed = BoundedFiles(before), CollectStreams(max_bytes=CAPTURED_BYTES_MAX)
    more: Json = {}
    problem = ""
    try:
        async with asyncio.timeout(seconds + 1):
            value = await _evaluated(code, files, printed, seconds)
    except TimeoutError:
        problem = f"ended after {seconds:.0f} s"
        more = {"timed_out": True}
    except MontyCrashedError:
        problem = "the interpreter crashed or was too busy to answer"
    except MontySyntaxError as error:
        problem = error.display("type-msg")
    except MontyError as error:
        problem = str(error)
        more = {"timed_out": True} if problem.startswith("TimeoutError: feed") else {}
    else:
        more = {} if value is None else {"value": _plain(value)}
    streams = dict.fromkeys(("stdout", "stderr"), "")
    for name, text in printed.output:
        streams[name] += text
    return Ended(
        stdout=streams["stdout"],
        stderr=streams["stderr"] + problem,
        exit_code=1 if problem else 0,
        after=files.left(),
        more=more,
    )


async def _evaluated(code: str, files: OSAccess, printed: CollectStreams, seconds: float) -> object:
    limits = ResourceLimits(
        max_feed_duration_secs=seconds, max_memory=MEMORY_BYTES_MAX, max_suspensions=LOOKS_MAX
    )
    # One process per program: what a program did to its interpreter ends with it.
    async with (
        AsyncMonty(min_processes=1, max_processes=1, request_timeout=seconds + 1) as pool,
        pool.checkout(limits=limits) as session,
    ):
        return cast(
            "object", await session.feed_run(code, print_callback=printed, os=files, cwd=ROOT)
        )


def _plain(value: object) -> object:
    """As JSON where it is some and short, else as Python shows it."""
    try:
        if len(to_json(value)) <= SHOWN_BYTES_MAX:
            return value
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    return repr(value)[:SHOWN_BYTES_MAX]
