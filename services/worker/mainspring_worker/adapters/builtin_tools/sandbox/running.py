"""One run of a script: files in, script, files back, and a result that a second attempt repeats."""

from collections.abc import Awaitable, Callable
from typing import Final, cast

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import Conflict, PayloadTooLarge, ValidationFailed
from mainspring_kernel.limits import KIB, MIB
from mainspring_schema.codec import to_json
from mainspring_schema.holdings import ChangeFiles, PutFile
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files.places import shown
from mainspring_worker.adapters.builtin_tools.sandbox import tree
from mainspring_worker.adapters.builtin_tools.sandbox.tree import Change, Tree
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

CAPTURED_BYTES_MAX: Final = 1 * MIB
"""Of what a script prints; beyond it the rest is dropped, and the result says so."""
SHOWN_BYTES_MAX: Final = 20 * KIB
"""Of each stream in the result; the whole is kept as a file."""
_NAMED_MAX: Final = 50
MEMORY_BYTES_MAX: Final = 128 * MIB
"""What a script may allocate, its copy of the files included."""


class Ended(Struct, frozen=True, kw_only=True):
    """How a script ended, and the files it left. `more` stands in the result as it is."""

    stdout: str
    stderr: str
    exit_code: int
    after: Tree
    more: Json = msgspec.field(default_factory=dict[str, object])


def patience_s(arguments: Json, context: ToolContext, usual_s: int) -> float:
    """How long a script may take: as long as it was given, or as a call in the background may."""
    asked = arguments.get("timeout_seconds")
    if isinstance(asked, int):
        return float(asked)
    return float(max(usual_s, context.patience_s))


async def run(context: ToolContext, script: Callable[[Tree], Awaitable[Ended]]) -> ToolOutcome:
    """What an attempt wrote stays with its result: a later one returns that and runs nothing."""
    noted = await context.resources.recall()
    if noted is not None:
        return ToolOutcome(result=cast("object", msgspec.json.decode(noted)))
    before = await tree.load(context.resources)
    ended = await script(before)
    result, outputs = _result(ended, context.call_id)
    try:
        changed = tree.changes(before, ended.after)
        result |= _told(before, changed)
        if changed or outputs:
            order = ChangeFiles(changes=(*changed, *outputs), note=to_json(result))
            await context.resources.change(order)
    except (Conflict, PayloadTooLarge, ValidationFailed) as refusal:
        result |= {
            "success": False,
            "error": f"no file was changed: {refusal.detail or refusal.title}",
        }
        result.pop("files_changed", None)
    return ToolOutcome(result=result)


def _result(ended: Ended, call_id: str) -> tuple[Json, tuple[PutFile, ...]]:
    """Both streams, cut where they are long, and the files that keep them whole."""
    result: Json = {
        "stdout": ended.stdout,
        "stderr": ended.stderr,
        "exit_code": ended.exit_code,
        "success": ended.exit_code == 0,
        **ended.more,
    }
    outputs: list[PutFile] = []
    for name, text in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        body = text.encode(errors="replace")
        result[name] = body[:SHOWN_BYTES_MAX].decode(errors="ignore")
        if len(body) > SHOWN_BYTES_MAX:
            path = f"/outputs/{call_id}.{name}"
            outputs.append(PutFile(path=path, content=body))
            result |= {"truncated": True, "total_lines": text.count("\n"), "reason": "size_cap"}
    if outputs:
        result["output_files"] = [shown(put.path) for put in outputs]
    return result, tuple(outputs)


def _told(before: Tree, changed: tuple[Change, ...]) -> Json:
    told: Json = {}
    paths = [shown(change.path) for change in changed]
    if paths:
        told["files_changed"] = paths[:_NAMED_MAX]
    if len(paths) > _NAMED_MAX:
        told["files_changed_total"] = len(paths)
    if before.left_out:
        told["files_left_out"] = [shown(path) for path in before.left_out[:_NAMED_MAX]]
    return told
