"""`query_history`: the conversation from its beginning, as the log has it."""

import msgspec

from mainspring_harness.builtin.infinity_context import CONTEXT_LINES_DEFAULT, MATCHES_DEFAULT
from mainspring_harness.placing import Placing, rolled_back
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.times import parse_rfc3339, rfc3339
from mainspring_schema.messages import Json
from mainspring_worker.domain.history import Row, Wanted, row_of, search
from mainspring_worker.domain.limits import READ_PAGES_MAX
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


class _Range(msgspec.Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    first: int | str | None = None
    last: int | str | None = None


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    query: str = ""
    message_range: _Range = _Range()
    time_range: _Range = _Range()
    message_types: tuple[str, ...] = ()
    limit: int = MATCHES_DEFAULT
    context_lines: int = CONTEXT_LINES_DEFAULT


async def query_history(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Messages that fit, in order."""
    wanted = _wanted(msgspec.convert(arguments, _Asked))
    rows = await _rows(context)
    found = search(rows, wanted)
    matches: list[Json] = [
        {"number": row.number, "type": row.kind, "at": rfc3339(row.ts_ms), "text": row.text}
        for row in found.rows
    ]
    result: Json = {
        "matches": matches,
        "match_count": found.matched,
        "message_count": rows[-1].number if rows else 0,
    }
    if len(matches) < found.matched:
        result |= {
            "truncated": True,
            "resume_hint": "ask for less: a message_range, other words, a smaller limit",
        }
    return ToolOutcome(result=result)


def _wanted(asked: _Asked) -> Wanted:
    """Raises ValidationFailed for a time that is none."""
    numbers = (asked.message_range.first, asked.message_range.last)
    return Wanted(
        words=tuple(asked.query.lower().split()),
        numbers=(_number(numbers[0]), _number(numbers[1])),
        times_ms=(_time(asked.time_range.first), _time(asked.time_range.last)),
        kinds=frozenset(asked.message_types),
        limit=asked.limit,
        lines=asked.context_lines,
    )


def _number(value: int | str | None) -> int | None:
    return value if isinstance(value, int) else None


def _time(value: int | str | None) -> int | None:
    return parse_rfc3339(value, "time_range") if isinstance(value, str) else None


async def _rows(context: ToolContext) -> list[Row]:
    placing, rows, before = Placing(), list[Row](), 0
    for _ in range(READ_PAGES_MAX):
        events = await context.history(placing.position)
        if not events:
            return rows
        for event in events:
            if event.type == "turn.started":
                before = len(rows)
            for placed in placing.place(event):
                row = row_of(placed, len(rows) + 1)
                if row is not None:
                    rows.append(row)
            if rolled_back(event):
                del rows[before:]
    message = f"the conversation has more than {READ_PAGES_MAX} pages"
    raise ValidationFailed(message)
