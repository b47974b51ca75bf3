"""Finds files and lines of the workspace."""

from collections.abc import Iterator

from mainspring_harness.builtin.session_file_system import ENTRIES_DEFAULT, MATCHES_DEFAULT
from mainspring_harness.globs import to_regex
from mainspring_harness.patterns import BadPattern, Pattern, compiled
from mainspring_schema.holdings import FileEntry, FilePart
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files import walking
from mainspring_worker.adapters.builtin_tools.files.places import shown
from mainspring_worker.adapters.builtin_tools.files.reading import described
from mainspring_worker.adapters.builtin_tools.files.text import is_binary
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

_LINE_CHARS_MAX = 300


async def list_directory(arguments: Json, context: ToolContext) -> ToolOutcome:
    """What is in a directory."""
    path = arguments.get("path", ".")
    recursive = arguments.get("recursive") is True
    limit = _limit(arguments, ENTRIES_DEFAULT)
    found = [one async for one in walking.entries(context.resources, path, recursive=recursive)]
    result: Json = {"entries": [described(one) for one in found[:limit]], "total": len(found)}
    return ToolOutcome(result=result | _cut(len(found), limit))


async def glob(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Paths that match."""
    try:
        wanted = compiled(to_regex(str(arguments["pattern"])))
    except BadPattern as problem:
        return error(f"not a path pattern: {problem}")
    limit = _limit(arguments, ENTRIES_DEFAULT)
    found = await walking.matching(context.resources, arguments.get("path", "."), wanted)
    result: Json = {"paths": [shown(one.path) for one in found[:limit]], "total": len(found)}
    return ToolOutcome(result=result | _cut(len(found), limit))


async def grep(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Lines that match, with what surrounds them."""
    try:
        pattern, files = await _prepared(arguments, context)
    except BadPattern as problem:
        return error(f"not a regular expression: {problem}")
    limit = _limit(arguments, MATCHES_DEFAULT)
    around = arguments.get("context_lines", 0)
    matches: list[Json] = []
    async for part in walking.contents(context.resources, files):
        for match in _matches(part, pattern, around if isinstance(around, int) else 0):
            if len(matches) == limit:
                return ToolOutcome(result={"matches": matches, **_cut(limit + 1, limit)})
            matches.append(match)
    return ToolOutcome(result={"matches": matches, **_left_out(files)})


async def grep_files(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Files with lines that match."""
    try:
        pattern, files = await _prepared(arguments, context)
    except BadPattern as problem:
        return error(f"not a regular expression: {problem}")
    limit = _limit(arguments, MATCHES_DEFAULT)
    rows: list[Json] = []
    async for part in walking.contents(context.resources, files):
        count = sum(1 for line in _lines(part) if pattern.search(line))
        if count and len(rows) == limit:
            return ToolOutcome(result={"files": rows, **_cut(limit + 1, limit)})
        if count:
            rows.append({"path": shown(part.entry.path), "matches": count})
    return ToolOutcome(result={"files": rows, **_left_out(files)})


async def _prepared(arguments: Json, context: ToolContext) -> tuple[Pattern, list[FileEntry]]:
    ignore_case = arguments.get("ignore_case") is True
    pattern = compiled(str(arguments["pattern"]), ignore_case=ignore_case)
    among = arguments.get("glob")
    wanted = None if among is None else compiled(to_regex(str(among)))
    return pattern, await walking.matching(context.resources, arguments.get("path", "."), wanted)


def _matches(part: FilePart, pattern: Pattern, around: int) -> Iterator[Json]:
    lines = _lines(part)
    for index, line in enumerate(lines):
        if not pattern.search(line):
            continue
        match: Json = {
            "path": shown(part.entry.path),
            "line_number": index + 1,
            "line": line[:_LINE_CHARS_MAX],
        }
        if around:
            before, after = lines[max(0, index - around) : index], lines[index + 1 :][:around]
            match["before"] = [one[:_LINE_CHARS_MAX] for one in before]
            match["after"] = [one[:_LINE_CHARS_MAX] for one in after]
        yield match


def _lines(part: FilePart) -> list[str]:
    if is_binary(part.content):
        return []
    return part.content.decode(errors="replace").splitlines()


def _left_out(files: list[FileEntry]) -> Json:
    large = [one for one in files if one.size_bytes > walking.SEARCHED_FILE_BYTES_MAX]
    if not large:
        return {}
    return {"not_searched": [shown(one.path) for one in large[:10]], "hint": "too large to search"}


def _cut(found: int, limit: int) -> Json:
    if found <= limit:
        return {}
    hint = "narrow path or pattern, or raise limit"
    return {"truncated": True, "reason": "item_cap", "resume_hint": hint}


def _limit(arguments: Json, default: int) -> int:
    limit = arguments.get("limit", default)
    return limit if isinstance(limit, int) else default
