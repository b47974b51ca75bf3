from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPEND_VERDICT_UNSPECIFIED: _ClassVar[AppendVerdict]
    APPEND_VERDICT_COMMITTED: _ClassVar[AppendVerdict]
    APPEND_VERDICT_DUPLICATE: _ClassVar[AppendVerdict]
    APPEND_VERDICT_STALE: _ClassVar[AppendVerdict]
    APPEND_VERDICT_GAP: _ClassVar[AppendVerdict]
APPEND_VERDICT_UNSPECIFIED: AppendVerdict
APPEND_VERDICT_COMMITTED: AppendVerdict
APPEND_VERDICT_DUPLICATE: AppendVerdict
APPEND_VERDICT_STALE: AppendVerdict
APPEND_VERDICT_GAP: AppendVerdict

class Position(_message.Message):
    __slots__ = ("seq", "n")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    seq: int
    n: int
    def __init__(self, seq: _Optional[int] = ..., n: _Optional[int] = ...) -> None: ...

class DeltaAppend(_message.Message):
    __slots__ = ("session_id", "turn_id", "anchor", "attempt", "channel", "offset", "fragment", "reset")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    turn_id: bytes
    anchor: str
    attempt: int
    channel: str
    offset: int
    fragment: str
    reset: bool
    def __init__(self, session_id: _Optional[bytes] = ..., turn_id: _Optional[bytes] = ..., anchor: _Optional[str] = ..., attempt: _Optional[int] = ..., channel: _Optional[str] = ..., offset: _Optional[int] = ..., fragment: _Optional[str] = ..., reset: _Optional[bool] = ...) -> None: ...

class AppendManyRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[DeltaAppend]
    def __init__(self, items: _Optional[_Iterable[_Union[DeltaAppend, _Mapping]]] = ...) -> None: ...

class AppendManyResponse(_message.Message):
    __slots__ = ("verdicts",)
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedScalarFieldContainer[AppendVerdict]
    def __init__(self, verdicts: _Optional[_Iterable[_Union[AppendVerdict, str]]] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("session_id", "org_id", "after", "limit", "events_only")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_ONLY_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    org_id: bytes
    after: Position
    limit: int
    events_only: bool
    def __init__(self, session_id: _Optional[bytes] = ..., org_id: _Optional[bytes] = ..., after: _Optional[_Union[Position, _Mapping]] = ..., limit: _Optional[int] = ..., events_only: _Optional[bool] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("events", "deltas", "head", "more")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    events: bytes
    deltas: bytes
    head: Head
    more: bool
    def __init__(self, events: _Optional[bytes] = ..., deltas: _Optional[bytes] = ..., head: _Optional[_Union[Head, _Mapping]] = ..., more: _Optional[bool] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("session_id", "org_id", "filter")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    org_id: bytes
    filter: bytes
    def __init__(self, session_id: _Optional[bytes] = ..., org_id: _Optional[bytes] = ..., filter: _Optional[bytes] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("events", "total")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    events: bytes
    total: int
    def __init__(self, events: _Optional[bytes] = ..., total: _Optional[int] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("session_id", "seq", "n", "status", "paused", "closed", "turn_first_seq", "updated_ms", "found")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    TURN_FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    seq: int
    n: int
    status: str
    paused: bool
    closed: bool
    turn_first_seq: int
    updated_ms: int
    found: bool
    def __init__(self, session_id: _Optional[bytes] = ..., seq: _Optional[int] = ..., n: _Optional[int] = ..., status: _Optional[str] = ..., paused: _Optional[bool] = ..., closed: _Optional[bool] = ..., turn_first_seq: _Optional[int] = ..., updated_ms: _Optional[int] = ..., found: _Optional[bool] = ...) -> None: ...

class HeadsRequest(_message.Message):
    __slots__ = ("session_ids",)
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    session_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, session_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class HeadsResponse(_message.Message):
    __slots__ = ("heads", "epoch")
    HEADS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    heads: _containers.RepeatedCompositeFieldContainer[Head]
    epoch: int
    def __init__(self, heads: _Optional[_Iterable[_Union[Head, _Mapping]]] = ..., epoch: _Optional[int] = ...) -> None: ...

class VerifyRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    def __init__(self, session_id: _Optional[bytes] = ...) -> None: ...

class VerifyResponse(_message.Message):
    __slots__ = ("events", "intact", "broken_seq", "reason", "head_hash")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    INTACT_FIELD_NUMBER: _ClassVar[int]
    BROKEN_SEQ_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HEAD_HASH_FIELD_NUMBER: _ClassVar[int]
    events: int
    intact: bool
    broken_seq: int
    reason: str
    head_hash: bytes
    def __init__(self, events: _Optional[int] = ..., intact: _Optional[bool] = ..., broken_seq: _Optional[int] = ..., reason: _Optional[str] = ..., head_hash: _Optional[bytes] = ...) -> None: ...

class UpkeepRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpkeepResponse(_message.Message):
    __slots__ = ("partitions_made", "deltas_dropped", "more")
    PARTITIONS_MADE_FIELD_NUMBER: _ClassVar[int]
    DELTAS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    partitions_made: int
    deltas_dropped: int
    more: bool
    def __init__(self, partitions_made: _Optional[int] = ..., deltas_dropped: _Optional[int] = ..., more: _Optional[bool] = ...) -> None: ...
