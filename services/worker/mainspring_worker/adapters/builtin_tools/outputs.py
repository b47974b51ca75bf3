"""`read_tool_output`: pieces of a result that was too long to be shown."""

from mainspring_harness.builtin.tool_output_persistence import OUTPUT_READ_BYTES_MAX
from mainspring_kernel.errors import NotFound
from mainspring_schema.holdings import ReadFile
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files.places import stored
from mainspring_worker.adapters.builtin_tools.function import error, number
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


async def read_tool_output(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Bytes from an offset on, and where to go on."""
    path = stored(arguments["output_file"])
    offset = number(arguments, "offset", 0)
    limit = number(arguments, "limit", OUTPUT_READ_BYTES_MAX)
    try:
        part = await context.resources.ask(ReadFile(path=path, offset=offset, bytes_max=limit))
    except NotFound:
        return error(f"there is no output {path!r}; use the output_file that a result named")
    total, end = part.entry.size_bytes, offset + len(part.content)
    result: Json = {
        "output_file": path,
        "text": part.content.decode(errors="replace"),
        "bytes_returned": len(part.content),
        "bytes_total": total,
    }
    if end < total:
        result |= {"truncated": True, "next_offset": end}
    return ToolOutcome(result=result)
