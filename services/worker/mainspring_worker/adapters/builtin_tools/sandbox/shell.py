"""`bash`: an interpreter in this process with files of its own, and no way to host or network."""

from codecs import getincrementaldecoder
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, cast

from bashkit import Bash, FileSystem

from mainspring_harness.builtin.bash import TIMEOUT_S_DEFAULT
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files.places import ROOT
from mainspring_worker.adapters.builtin_tools.sandbox.running import (
    CAPTURED_BYTES_MAX,
    MEMORY_BYTES_MAX,
    Ended,
    patience_s,
    run,
)
from mainspring_worker.adapters.builtin_tools.sandbox.tree import Tree
from mainspring_worker.ports.tool import Channel, ToolContext, ToolOutcome

_UTF8: Final = getincrementaldecoder("utf-8")
COMMANDS_MAX: Final = 1_000_000
"""A script that goes round in circles ends here, if its time is not over before."""


async def bash(arguments: Json, context: ToolContext) -> ToolOutcome:
    """One script in a new shell."""
    seconds = patience_s(arguments, context, TIMEOUT_S_DEFAULT)

    async def script(before: Tree) -> Ended:
        return await _run(str(arguments["commands"]), before, seconds, context)

    return await run(context, script)


async def _run(commands: str, before: Tree, seconds: float, context: ToolContext) -> Ended:
    shell = Bash(
        username="agent",
        hostname="workspace",
        cwd=ROOT,
        env={"HOME": ROOT, "LANG": "C.UTF-8"},
        max_commands=COMMANDS_MAX,
        max_loop_iterations=COMMANDS_MAX,
        max_memory=MEMORY_BYTES_MAX,
        timeout_seconds=seconds,
    )
    files = shell.fs()
    _fill(files, before)
    ended = await shell.execute(
        commands,
        capture=CAPTURED_BYTES_MAX,
        stdout=_shown(context, "stdout"),
        stderr=_shown(context, "stderr"),
    )
    more: Json = {"timed_out": True} if "execution timeout" in (ended.error or "") else {}
    if ended.stdout_truncated or ended.stderr_truncated:
        more |= {"truncated": True, "reason": "size_cap", "dropped_over_bytes": CAPTURED_BYTES_MAX}
    after = _left(files)
    return Ended(
        stdout=ended.stdout,
        stderr=ended.stderr or ended.error or "",
        exit_code=ended.exit_code,
        after=after,
        more=more,
    )


def _shown(context: ToolContext, channel: Channel) -> Callable[[bytes], Awaitable[None]]:
    """Where a stream goes as it is written; a character may come in two parts."""
    decoder = _UTF8(errors="replace")

    async def write(data: bytes) -> None:
        context.output(channel, decoder.decode(data))

    return write


def _fill(files: FileSystem, before: Tree) -> None:
    files.mkdir(ROOT, recursive=True)
    for path in sorted(before.directories):
        files.mkdir(ROOT + path, recursive=True)
    for path, content in before.files.items():
        files.write_file(ROOT + path, content)


def _left(files: FileSystem) -> Tree:
    found: dict[str, bytes] = {}
    directories: set[str] = set()
    for path, is_directory in _walk(files, ""):
        if is_directory:
            directories.add(path)
        else:
            found[path] = files.read_file(ROOT + path)
    return Tree(files=found, directories=frozenset(directories))


def _walk(files: FileSystem, folder: str) -> Iterator[tuple[str, bool]]:
    """Files and directories below; a link is neither, and is not kept."""
    if not folder and not files.exists(ROOT):
        return
    for entry in cast("list[dict[str, object]]", files.read_dir(ROOT + folder)):
        path = f"{folder}/{entry['name']}"
        kind = cast("dict[str, object]", entry["metadata"])["file_type"]
        if kind == "directory":
            yield path, True
            yield from _walk(files, path)
        elif kind == "file":
            yield path, False
