"""Which events a listing takes: conditions on columns, and on what the payload says."""

from typing import Final, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_eventstore.domain.limits import INT8_MAX
from mainspring_schema.events import StoredEvent
from mainspring_schema.listing import EventFilter

_PAYLOAD: Final = msgspec.json.Decoder(dict[str, object])


class Columns(Struct, frozen=True, kw_only=True):
    """The part of a filter that needs no payload. `after_seq` and `before_seq` are exclusive.

    `needles` and `text` only narrow what is looked at: every matching payload holds all needles,
    and the text once its letters of ASCII are in lower case.
    """

    after_seq: int = 0
    before_seq: int | None = None
    types: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    turn_id: UUID | None = None
    needles: tuple[bytes, ...] = ()
    text: str | None = None


def columns_of(wanted: EventFilter) -> Columns:
    """The filter without its paging members, in values that the columns' types hold."""
    return Columns(
        types=tuple(type_.replace("\0", " ") for type_ in wanted.types),
        exclude=tuple(type_.replace("\0", " ") for type_ in wanted.exclude),
        from_ms=_int8(wanted.from_ms),
        to_ms=_int8(wanted.to_ms),
        turn_id=wanted.turn_id,
        needles=_needles(wanted),
        text=_plain_text(wanted.text),
    )


def unfiltered(columns: Columns) -> bool:
    return columns == Columns(after_seq=columns.after_seq, before_seq=columns.before_seq)


def fits_columns(event: StoredEvent, turn_id: UUID | None, columns: Columns) -> bool:
    return (
        event.seq > columns.after_seq
        and (columns.before_seq is None or event.seq < columns.before_seq)
        and (not columns.types or event.type in columns.types)
        and event.type not in columns.exclude
        and (columns.from_ms is None or event.ts_ms >= columns.from_ms)
        and (columns.to_ms is None or event.ts_ms <= columns.to_ms)
        and (columns.turn_id is None or columns.turn_id == turn_id)
        and all(needle in event.payload for needle in columns.needles)
        and (columns.text is None or columns.text.encode() in event.payload.lower())
    )


def reads_payload(wanted: EventFilter) -> bool:
    """Whether the columns alone cannot decide."""
    return bool(wanted.exec_id or wanted.trace_id or wanted.tags or wanted.tool_name or wanted.text)


def fits_payload(payload: bytes, wanted: EventFilter) -> bool:
    if not reads_payload(wanted):
        return True
    whole = _PAYLOAD.decode(payload)
    context = _member(whole.get("context"))
    tags = _items(whole.get("tags"))
    return (
        (wanted.exec_id is None or context.get("exec_id") == wanted.exec_id)
        and (wanted.trace_id is None or context.get("trace_id") == wanted.trace_id)
        and (not wanted.tags or any(tag in tags for tag in wanted.tags))
        and (wanted.tool_name is None or _names_tool(whole.get("data"), wanted.tool_name))
        and (not wanted.text or _says(whole.get("data"), wanted.text.casefold()))
    )


def _int8(value: int | None) -> int | None:
    return None if value is None else max(-INT8_MAX, min(value, INT8_MAX))


def _needles(wanted: EventFilter) -> tuple[bytes, ...]:
    exact = (wanted.exec_id, wanted.trace_id, wanted.tool_name)
    words = tuple(msgspec.json.encode(word) for word in exact if word is not None)
    return (*words, b'"tags"') if wanted.tags else words


def _plain_text(text: str | None) -> str | None:
    """The text in lower case where Postgres and Python agree on it and JSON leaves it as it is."""
    if not text or not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        return None
    return text.lower()


def _member(value: object) -> dict[str, object]:
    # What the JSON decoder made: its dictionaries have text for keys.
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _names_tool(data: object, name: str) -> bool:
    members = _member(data)
    calls = [members.get("tool_call"), *_items(members.get("tool_calls"))]
    return name in (members.get("tool_name"), *[_member(call).get("name") for call in calls])


def _says(value: object, text: str) -> bool:
    if isinstance(value, str):
        return text in value.casefold()
    return any(_says(part, text) for part in (*_member(value).values(), *_items(value)))
