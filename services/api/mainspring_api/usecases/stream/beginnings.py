"""Reads the text that a message had before the cursor, so that `accumulated` is complete."""

import msgspec
from msgspec import Struct

from mainspring_api.domain.accumulate import TOOL_CHANNELS
from mainspring_api.domain.cursor import position_of
from mainspring_api.domain.frames import Framer
from mainspring_api.domain.limits import SSE_ANCHORS_MAX, SSE_READ_ROWS
from mainspring_api.ports.log import Log
from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_schema.events import StoredDelta
from mainspring_schema.listing import EventFilter

_PAGES_MAX = 50
"""Readings of history for one beginning: without the rest `accumulated` starts later."""


async def learn_beginning(
    log: Log, org_id: OrgId, session_id: SessionId, framer: Framer, delta: StoredDelta
) -> None:
    """Feeds the fragments from the anchor's start up to `delta` into the framer.

    What expired meanwhile stays unknown, and `accumulated` then starts later. Of a tool's output
    only the tool is learned.
    """
    if delta.channel in TOOL_CHANNELS:
        await _learn_tool(log, org_id, session_id, framer, delta)
        return
    after = Position(await _start_of(log, org_id, session_id, delta), 0)
    for _ in range(_PAGES_MAX):
        page = await log.read(session_id, org_id, after=after, limit=SSE_READ_ROWS)
        for earlier in page.deltas:
            if earlier.anchor == delta.anchor and position_of(earlier) < position_of(delta):
                framer.feed(earlier)
        if not page.more:
            return
        after = max(position_of(item) for item in (*page.events, *page.deltas))
        if after >= position_of(delta):
            return


async def _learn_tool(
    log: Log, org_id: OrgId, session_id: SessionId, framer: Framer, delta: StoredDelta
) -> None:
    started = EventFilter(types=("tool.started",), before_seq=delta.seq + 1, limit=SSE_ANCHORS_MAX)
    for event in (await log.list(session_id, org_id, started)).events:
        framer.notice(event)
    framer.tool_names.setdefault(delta.anchor, "")  # nobody looks again


async def _start_of(log: Log, org_id: OrgId, session_id: SessionId, delta: StoredDelta) -> int:
    listing = await log.list(
        session_id,
        org_id,
        EventFilter(
            types=("output.message.started",), before_seq=delta.seq + 1, limit=SSE_ANCHORS_MAX
        ),
    )
    for event in reversed(listing.events):
        if msgspec.json.decode(event.payload, type=_Started).data.message_id == delta.anchor:
            return event.seq
    return delta.seq


class _StartedData(Struct):
    message_id: str | None = None


class _Started(Struct):
    data: _StartedData
