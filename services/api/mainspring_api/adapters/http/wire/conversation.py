"""Messages, events, tool results and what is listed around them, on the wire."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.wire.tiers import Tag
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.cursor import Resume, resume_from_id
from mainspring_api.domain.tiers import check_model_id
from mainspring_api.usecases.events import EventWish
from mainspring_kernel import limits
from mainspring_kernel.errors import (
    ConflictingCursors,
    UnknownEventType,
    ValidationFailed,
)
from mainspring_kernel.ids import (
    Position,
    Prefix,
    SessionId,
    from_wire,
)
from mainspring_kernel.times import parse_rfc3339
from mainspring_schema.commands import ClientToolResult
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.events import EVENT_TYPES
from mainspring_schema.listing import EventFilter
from mainspring_schema.messages import (
    Controls,
    ExternalActor,
    ImageFilePart,
    ImagePart,
    InputPart,
    Json,
    TextPart,
    ToolResultPart,
)

KNOWN_TYPES = frozenset(EVENT_TYPES)


class MessageInput(Struct, frozen=True, kw_only=True):
    role: Literal["user", "tool_result"] = "user"
    content: Annotated[
        list[TextPart | ImagePart | ImageFilePart | ToolResultPart],
        Meta(min_length=1, max_length=100),
    ]


class ReasoningBody(Struct, frozen=True, kw_only=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class ControlsBody(Struct, frozen=True, kw_only=True):
    """`Controls` as a client may send them: what no model would take is refused here."""

    model_id: str | None = None
    reasoning: ReasoningBody | None = None
    locale: str | None = None
    hints: Json | None = None
    error_disclosure: Literal["generic", "standard", "detailed"] | None = None
    speed: Literal["flex", "default", "priority", "fast", "ultrafast"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class MessageBody(Struct, frozen=True, kw_only=True):
    message: MessageInput
    controls: ControlsBody | None = None
    metadata: Json | None = None
    external_actor: ExternalActor | None = None
    tags: Annotated[list[Tag], Meta(max_length=bounds.TAGS_MAX)] | None = None
    """Of its event, by which events are found."""
    delivery: DeliveryMode = "steer"
    """What becomes of it where a turn is at work."""


def checked_content(body: MessageBody) -> tuple[InputPart, ...]:
    """Raises ValidationFailed for a part that does not go with the role or cannot be shown."""
    check_model_id(body.controls.model_id if body.controls else None)
    for part in body.message.content:
        if isinstance(part, ToolResultPart) != (body.message.role == "tool_result"):
            msg = "tool_result parts go with role tool_result and no other"
            raise ValidationFailed(msg)
    return shown(body.message.content)


def shown(parts: Sequence[InputPart]) -> tuple[InputPart, ...]:
    """Raises ValidationFailed for a part that cannot be shown."""
    for part in parts:
        if isinstance(part, ImagePart):
            _check_image(part)
    return tuple(parts)


def _check_image(part: ImagePart) -> None:
    """A message stands in its session for good, and with it an image that fails every turn."""
    if (part.url is None) == (part.base64 is None):
        msg = "an image has either a url or base64"
        raise ValidationFailed(msg)
    if part.url is not None and not part.url.startswith(("http://", "https://")):
        msg = "the url of an image begins with http:// or https://"
        raise ValidationFailed(msg)
    if part.media_type and not part.media_type.startswith("image/"):
        msg = "the media_type of an image begins with image/"
        raise ValidationFailed(msg)
    try:
        content = None if part.base64 is None else b64decode(part.base64, validate=True)
    except ValueError as error:
        msg = "the base64 of an image is no base64"
        raise ValidationFailed(msg) from error
    if content == b"":
        msg = "the base64 of an image is empty"
        raise ValidationFailed(msg)


def controls_of(body: MessageBody) -> Controls | None:
    """As they stand in the log."""
    if body.controls is None:
        return None
    return msgspec.convert(body.controls, Controls, from_attributes=True)


class ToolResultBody(Struct, frozen=True, kw_only=True):
    tool_call_id: Annotated[str, Meta(min_length=1, max_length=200)]
    result: object = None
    error: str | None = None


class ToolResultsBody(Struct, frozen=True, kw_only=True):
    tool_results: Annotated[
        list[ToolResultBody], Meta(min_length=1, max_length=limits.TOOL_CALLS_PER_RESPONSE_MAX)
    ]


def client_results(body: ToolResultsBody) -> tuple[ClientToolResult, ...]:
    """Raises ValidationFailed where a call is answered twice in one body."""
    return _results(body.tool_results, "tool_results")


def message_results(parts: Sequence[ToolResultPart]) -> tuple[ClientToolResult, ...]:
    """The same of a message. Raises ValidationFailed."""
    return _results(parts, "message.content")


def _results(
    given: Sequence[ToolResultBody | ToolResultPart], field: str
) -> tuple[ClientToolResult, ...]:
    if len({one.tool_call_id for one in given}) < len(given):
        msg = "a tool call has two results"
        raise ValidationFailed(msg, data={"field": field})
    return tuple(
        ClientToolResult(tool_call_id=one.tool_call_id, result=one.result, error=one.error)
        for one in given
    )


class ToolResultsView(Struct, frozen=True, kw_only=True):
    accepted: int
    status: str


class CancelView(Struct, frozen=True, kw_only=True):
    status: Literal["cancelled", "no_op"]
    message: str


# ── events ──────────────────────────────────────────────────────────────────────────────────────

Sequence0 = Annotated[int, Meta(ge=0, le=(1 << 40) - 1)]
Types = Annotated[list[str], Meta(max_length=bounds.EVENT_TYPES_PER_FILTER_MAX)]


class EventsQuery(Struct, frozen=True, kw_only=True):
    since_id: str | None = None
    types: Types = []
    exclude: Types = []
    limit: Annotated[int, Meta(ge=1)] = bounds.EVENTS_PAGE_ROWS_DEFAULT
    before_sequence: Sequence0 | None = None
    after_sequence: Sequence0 | None = None
    around: str | None = None
    window: Annotated[int, Meta(ge=0)] = bounds.EVENTS_WINDOW_DEFAULT
    from_ts: str | None = None
    to_ts: str | None = None
    turn_id: str | None = None
    exec_id: Annotated[str, Meta(pattern="^exec_[0-9a-f]{32}$")] | None = None
    trace_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    tags: Annotated[list[str], Meta(max_length=bounds.TAGS_MAX)] = []
    tool_name: Annotated[str, Meta(max_length=200)] | None = None
    q: Annotated[str, Meta(max_length=1000)] | None = None
    order_desc: bool = False


def event_wish(query: EventsQuery, session_id: SessionId) -> EventWish:
    """Raises the 400s of cursors, types, ids and times."""
    check_types((*query.types, *query.exclude))
    after = _cursor(query.since_id, query.after_sequence, session_id)
    around = _cursor(query.around, None, session_id)
    return EventWish(
        filter=_event_filter(query, after=after, around=around),
        cursors=tuple(cursor for cursor in (after, around) if cursor is not None),
    )


def _event_filter(
    query: EventsQuery, *, after: Resume | None, around: Resume | None
) -> EventFilter:
    turn = query.turn_id
    return EventFilter(
        types=tuple(query.types),
        exclude=tuple(query.exclude),
        after_seq=after.position.seq if after is not None else None,
        before_seq=query.before_sequence,
        around=around.position.seq if around is not None else None,
        window=min(query.window, limits.EVENTS_AROUND_ROWS_MAX),
        from_ms=parse_rfc3339(query.from_ts, "from_ts") if query.from_ts else None,
        to_ms=parse_rfc3339(query.to_ts, "to_ts") if query.to_ts else None,
        turn_id=from_wire(Prefix.TURN, turn) if turn is not None else None,
        exec_id=query.exec_id,
        trace_id=query.trace_id,
        tags=tuple(query.tags),
        tool_name=query.tool_name,
        text=query.q,
        descending=query.order_desc,
        limit=min(query.limit, limits.PAGE_ROWS_MAX),
        counted=True,
    )


def check_types(types: tuple[str, ...]) -> None:
    for type_ in types:
        if type_ not in KNOWN_TYPES:
            msg = f"no event type {type_[:64]!r}"
            raise UnknownEventType(msg, data={"type": type_[:64]})


def _cursor(
    event_id: str | None, after_sequence: int | None, session_id: SessionId
) -> Resume | None:
    if event_id is not None and after_sequence is not None:
        raise ConflictingCursors
    if event_id is not None:
        return resume_from_id(from_wire(Prefix.EVENT, event_id), session_id)
    if after_sequence is not None:
        return Resume(position=Position(after_sequence, 0))
    return None


class StreamQuery(Struct, frozen=True, kw_only=True):
    """Each fragment of a text says all of it so far; with `accumulated=false` itself alone."""

    since_id: str | None = None
    after_sequence: Sequence0 | None = None
    types: Types = []
    exclude: Types = []
    accumulated: bool = True


def stream_resume(
    query: StreamQuery, session_id: SessionId, last_event_id: str | None
) -> Resume | None:
    """`Last-Event-ID` is what a browser saw last, so it beats the query it was opened with."""
    check_types((*query.types, *query.exclude))
    asked = _cursor(query.since_id, query.after_sequence, session_id)
    return _cursor(last_event_id, None, session_id) or asked


class TypeCount(Struct, frozen=True, kw_only=True):
    type: str
    count: int


class SummaryView(Struct, frozen=True, kw_only=True):
    total: int
    turn_count: int
    error_count: int
    first_ts: str | None
    last_ts: str | None
    by_type: tuple[TypeCount, ...]


class VerificationView(Struct, frozen=True, kw_only=True):
    """`broken_sequence` is the first position whose number or hash is wrong."""

    events: int
    intact: bool
    broken_sequence: int | None
    reason: str | None
    head_hash: str


class EventContext(Struct, frozen=True, kw_only=True, omit_defaults=True):
    turn_id: str | None = None
    input_message_id: str | None = None
    exec_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None


class EventView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `data` holds depends on `type`; there may be types that a client does not know."""

    # For the document only: events go out as the bytes that are stored.
    id: str
    type: str
    ts: str
    session_id: str
    sequence: int
    context: EventContext
    data: object
    metadata: Json | None = None
    tags: list[str] | None = None


class StreamedEvent(EventView, frozen=True, kw_only=True, omit_defaults=True):
    """An event, or a piece of a text that is being written, which has no `sequence`."""

    sequence: int | UnsetType = UNSET  # pyright: ignore[reportIncompatibleVariableOverride] -- for the document only


class StreamConnected(Struct, frozen=True, kw_only=True):
    """The first frame of each stream; its `event` is `connected`, and it has no id."""

    status: Literal["connected"]


class StreamDisconnecting(Struct, frozen=True, kw_only=True):
    """The last frame of a stream that the server ends: come again after `retry_ms`."""

    reason: str
    retry_ms: int


STREAMED = (StreamedEvent, StreamConnected, StreamDisconnecting)
"""What a frame of a stream may hold."""
