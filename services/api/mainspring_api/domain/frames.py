"""Events and deltas as a client sees them: full Event objects, and those as server-sent frames.

Only ids, types from a fixed list and one-line JSON go into a frame, so no user text ends it early.
"""

import re
from collections import OrderedDict
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.accumulate import TOOL_CHANNELS, Accumulators
from mainspring_api.domain.limits import SSE_FRAMES_CACHED_MAX
from mainspring_kernel.ids import Position, Prefix, position_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema import events
from mainspring_schema.events import Context, Payload, StoredDelta, StoredEvent
from mainspring_schema.messages import Json

HEARTBEAT: Final = b": heartbeat\n\n"
RESYNC: Final = "stream.resync"

_OPAQUE: Final = re.compile(rb'"(?:thinking_signature|signature|encrypted_content)":')
_OPAQUE_OF_ITEMS: Final = frozenset({"signature", "encrypted_content"})
_LINE_ENDS: Final = (
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
    (b"\xc2\x85", b"\\u0085"),
)
"""Legal in JSON and in SSE, but line ends for parsers that split like Python does."""


class Frame(Struct, frozen=True):
    """One server-sent event and where it stands. `fragment`: of which text it says all so far."""

    position: Position
    type: str
    data: bytes
    fragment: StoredDelta | None = None


def event_json(event: StoredEvent, *, session_id: UUID, epoch: int) -> bytes:
    """The stored bytes under their envelope; opaque reasoning is stored and never shown."""
    id_ = position_wire(epoch, event.seq, 0, session_id)
    return _enveloped(event, id_, to_wire(Prefix.SESSION, session_id))


def _enveloped(event: StoredEvent, id_: str, session_id: str) -> bytes:
    payload = event.payload
    if _OPAQUE.search(payload):
        payload = _shown(event.type, payload)
    return events.frame(
        payload,
        event_id=id_,
        type_=event.type,
        ts=rfc3339(event.ts_ms),
        session_id=session_id,
        seq=event.seq,
    )


def _shown(type_: str, payload: bytes) -> bytes:
    """Only our own members go: what tools and people wrote may bear such names, too."""
    value = msgspec.json.decode(payload, type=dict[str, object])
    if type_ == "reason.item":
        data = msgspec.convert(value.get("data"), dict[str, object])
        value["data"] = {key: data[key] for key in data if key not in _OPAQUE_OF_ITEMS}
    return msgspec.json.encode(_without_signatures(value))


def _without_signatures(value: object) -> object:
    match value:
        case dict():
            members = msgspec.convert(value, dict[str, object])
            return {
                key: _without_signatures(member)
                for key, member in members.items()
                if key != "thinking_signature"
            }
        case list():
            return [_without_signatures(one) for one in msgspec.convert(value, list[object])]
        case _:
            return value


def sse(type_: str, event_id: str, data: bytes) -> bytes:
    if not data.isascii():
        for raw, escaped in _LINE_ENDS:
            data = data.replace(raw, escaped)
    return b"event: %s\nid: %s\ndata: %s\n\n" % (type_.encode(), event_id.encode(), data)


def connected(retry_ms: int) -> bytes:
    # One frame: some clients make an empty event of a block that holds `retry` alone.
    return b'retry: %d\nevent: connected\ndata: {"status":"connected"}\n\n' % retry_ms


def disconnecting(reason: str, retry_ms: int) -> bytes:
    data = msgspec.json.encode({"reason": reason, "retry_ms": retry_ms})
    return b"event: disconnecting\ndata: %s\n\n" % data


class Framer:
    """Makes the frames of one session, each event once; remembers what streams in it."""

    def __init__(self, session_id: UUID, epoch: int) -> None:
        self.session_id = session_id
        self.epoch = epoch
        self._session = to_wire(Prefix.SESSION, session_id)
        self.streaming = Accumulators()
        self.tool_names: dict[str, str] = {}
        self._frames: OrderedDict[int, Frame] = OrderedDict()

    def event(self, event: StoredEvent) -> Frame:
        """The same bytes for every subscriber."""
        known = self._frames.get(event.seq)
        if known is not None:
            return known
        self.notice(event)
        id_ = position_wire(self.epoch, event.seq, 0, self.session_id)
        data = _enveloped(event, id_, self._session)
        frame = Frame(Position(event.seq, 0), event.type, sse(event.type, id_, data))
        self._frames[event.seq] = frame
        if len(self._frames) > SSE_FRAMES_CACHED_MAX:
            self._frames.popitem(last=False)
        return frame

    def notice(self, event: StoredEvent) -> None:
        """What an event says about the deltas around it."""
        if event.type == "tool.started":
            self._remember_tool(event.payload)
        elif event.type in events.OUTCOME_TYPES:
            self.streaming.clear()
            self.tool_names.clear()

    def adopt(self, other: "Framer") -> None:
        """Takes over what streams, from one that read up to the same position."""
        self.streaming = other.streaming.copy()
        self.tool_names = dict(other.tool_names)

    def lacks_beginning(self, delta: StoredDelta) -> bool:
        """Whether text before this fragment is unknown here: `feed` the anchor's deltas first.

        Of what a tool writes, whether the tool is: `notice` what started it.
        """
        if delta.channel in TOOL_CHANNELS:
            return delta.anchor not in self.tool_names
        return not self.streaming.joins(delta)

    def feed(self, delta: StoredDelta) -> None:
        self.streaming.add(delta)

    def delta(self, delta: StoredDelta) -> Frame:
        """With the text so far, where it is one."""
        so_far = self.streaming.add(delta)
        if delta.channel in TOOL_CHANNELS:
            name = self.tool_names.get(delta.anchor, "")
            call: Json = {"tool_call_id": delta.anchor, "tool_name": name}
            call |= {"delta": delta.fragment, "stream": delta.channel, **_anew(delta)}
            return self._frame(delta, "tool.output.delta", call)
        text = {**_text(delta), "accumulated": so_far, **_anew(delta)}
        return self._frame(delta, _type(delta), text, fragment=delta)

    def alone(self, fragment: StoredDelta) -> Frame:
        """As `delta`, of a text, without what was said before."""
        return self._frame(fragment, _type(fragment), _text(fragment) | _anew(fragment))

    def _frame(
        self, delta: StoredDelta, type_: str, data: Json, *, fragment: StoredDelta | None = None
    ) -> Frame:
        turn = to_wire(Prefix.TURN, delta.turn_id)
        id_ = position_wire(self.epoch, delta.seq, delta.n, self.session_id)
        body = events.frame(
            msgspec.json.encode(Payload(context=Context(turn_id=turn), data=data)),
            event_id=id_,
            type_=type_,
            ts=rfc3339(delta.ts_ms),
            session_id=to_wire(Prefix.SESSION, self.session_id),
            seq=None,
        )
        return Frame(Position(delta.seq, delta.n), type_, sse(type_, id_, body), fragment)

    def resync(self, before: Position, ts_ms: int) -> Frame:
        """Told once where a cursor of an older store was given: positions start anew here."""
        id_ = position_wire(self.epoch, before.seq, before.n, self.session_id)
        body = events.frame(
            msgspec.json.encode(
                Payload(context=Context(), data={"reason": "epoch_changed", "epoch": self.epoch})
            ),
            event_id=id_,
            type_=RESYNC,
            ts=rfc3339(ts_ms),
            session_id=to_wire(Prefix.SESSION, self.session_id),
            seq=None,
        )
        return Frame(before, RESYNC, sse(RESYNC, id_, body))

    def _remember_tool(self, payload: bytes) -> None:
        try:
            started = msgspec.json.decode(payload, type=_ToolStarted)
        except msgspec.DecodeError:
            return
        self.tool_names[started.data.tool_call.id] = started.data.tool_call.name


def _type(delta: StoredDelta) -> str:
    return "reason.thinking.delta" if delta.channel == "thinking" else "output.message.delta"


def _text(delta: StoredDelta) -> Json:
    turn = to_wire(Prefix.TURN, delta.turn_id)
    return {"turn_id": turn, "message_id": delta.anchor, "delta": delta.fragment}


def _anew(delta: StoredDelta) -> Json:
    """Where another attempt begins, what an earlier one showed is void."""
    anew: Json = {"attempt": delta.attempt} if delta.attempt > 1 else {}
    return anew | {"reset": True} if delta.reset else anew


class _Call(Struct):
    id: str
    name: str


class _StartedData(Struct):
    tool_call: _Call


class _ToolStarted(Struct):
    data: _StartedData
