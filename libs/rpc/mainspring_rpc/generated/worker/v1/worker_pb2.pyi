from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_COMMITTED: _ClassVar[Verdict]
    VERDICT_DUPLICATE: _ClassVar[Verdict]
    VERDICT_STALE: _ClassVar[Verdict]
    VERDICT_INVALID: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
VERDICT_COMMITTED: Verdict
VERDICT_DUPLICATE: Verdict
VERDICT_STALE: Verdict
VERDICT_INVALID: Verdict

class WorkRequest(_message.Message):
    __slots__ = ("attach", "credits", "results", "starts", "emits", "beat", "configs_wanted", "draining", "returned", "histories_wanted", "progress", "packed")
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    EMITS_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    CONFIGS_WANTED_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    HISTORIES_WANTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    attach: Attach
    credits: int
    results: _containers.RepeatedCompositeFieldContainer[Result]
    starts: _containers.RepeatedCompositeFieldContainer[Start]
    emits: _containers.RepeatedCompositeFieldContainer[Emit]
    beat: Beat
    configs_wanted: _containers.RepeatedScalarFieldContainer[bytes]
    draining: bool
    returned: _containers.RepeatedCompositeFieldContainer[Held]
    histories_wanted: _containers.RepeatedCompositeFieldContainer[HistoryWanted]
    progress: _containers.RepeatedCompositeFieldContainer[Progress]
    packed: bytes
    def __init__(self, attach: _Optional[_Union[Attach, _Mapping]] = ..., credits: _Optional[int] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., starts: _Optional[_Iterable[_Union[Start, _Mapping]]] = ..., emits: _Optional[_Iterable[_Union[Emit, _Mapping]]] = ..., beat: _Optional[_Union[Beat, _Mapping]] = ..., configs_wanted: _Optional[_Iterable[bytes]] = ..., draining: _Optional[bool] = ..., returned: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., histories_wanted: _Optional[_Iterable[_Union[HistoryWanted, _Mapping]]] = ..., progress: _Optional[_Iterable[_Union[Progress, _Mapping]]] = ..., packed: _Optional[bytes] = ...) -> None: ...

class Attach(_message.Message):
    __slots__ = ("incarnation", "attach_number", "name", "build", "queues", "capabilities", "slots", "held", "toolset", "reads_packed")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ATTACH_NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    TOOLSET_FIELD_NUMBER: _ClassVar[int]
    READS_PACKED_FIELD_NUMBER: _ClassVar[int]
    incarnation: bytes
    attach_number: int
    name: str
    build: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    held: _containers.RepeatedCompositeFieldContainer[Held]
    toolset: bytes
    reads_packed: bool
    def __init__(self, incarnation: _Optional[bytes] = ..., attach_number: _Optional[int] = ..., name: _Optional[str] = ..., build: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., capabilities: _Optional[_Iterable[str]] = ..., slots: _Optional[int] = ..., held: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., toolset: _Optional[bytes] = ..., reads_packed: _Optional[bool] = ...) -> None: ...

class Held(_message.Message):
    __slots__ = ("task_id", "fence")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ...) -> None: ...

class Beat(_message.Message):
    __slots__ = ("held", "loop_lag_ms")
    HELD_FIELD_NUMBER: _ClassVar[int]
    LOOP_LAG_MS_FIELD_NUMBER: _ClassVar[int]
    held: _containers.RepeatedCompositeFieldContainer[Held]
    loop_lag_ms: int
    def __init__(self, held: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., loop_lag_ms: _Optional[int] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("task_id", "fence", "hash", "body")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    hash: bytes
    body: bytes
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., hash: _Optional[bytes] = ..., body: _Optional[bytes] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("task_id", "fence")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ...) -> None: ...

class Emit(_message.Message):
    __slots__ = ("task_id", "fence", "counter", "events", "steps", "waits")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    counter: int
    events: bytes
    steps: bytes
    waits: bytes
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., counter: _Optional[int] = ..., events: _Optional[bytes] = ..., steps: _Optional[bytes] = ..., waits: _Optional[bytes] = ...) -> None: ...

class HistoryWanted(_message.Message):
    __slots__ = ("task_id", "fence", "after", "places")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    after: str
    places: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., after: _Optional[str] = ..., places: _Optional[_Iterable[str]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("task_id", "fence", "counter", "step", "details")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    counter: int
    step: str
    details: bytes
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., counter: _Optional[int] = ..., step: _Optional[str] = ..., details: _Optional[bytes] = ...) -> None: ...

class WorkResponse(_message.Message):
    __slots__ = ("attached", "tasks", "results", "starts", "emits", "lost", "cancelled", "configs", "renewed", "leaving", "histories", "progress", "packed", "drained")
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    EMITS_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    CONFIGS_FIELD_NUMBER: _ClassVar[int]
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    HISTORIES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    attached: Attached
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    results: _containers.RepeatedCompositeFieldContainer[Acknowledgement]
    starts: _containers.RepeatedCompositeFieldContainer[Acknowledgement]
    emits: _containers.RepeatedCompositeFieldContainer[Acknowledgement]
    lost: _containers.RepeatedCompositeFieldContainer[Held]
    cancelled: _containers.RepeatedCompositeFieldContainer[Held]
    configs: _containers.RepeatedCompositeFieldContainer[Config]
    renewed: _containers.RepeatedCompositeFieldContainer[Held]
    leaving: bool
    histories: _containers.RepeatedCompositeFieldContainer[History]
    progress: _containers.RepeatedCompositeFieldContainer[Acknowledgement]
    packed: bytes
    drained: bool
    def __init__(self, attached: _Optional[_Union[Attached, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ..., results: _Optional[_Iterable[_Union[Acknowledgement, _Mapping]]] = ..., starts: _Optional[_Iterable[_Union[Acknowledgement, _Mapping]]] = ..., emits: _Optional[_Iterable[_Union[Acknowledgement, _Mapping]]] = ..., lost: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., cancelled: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., configs: _Optional[_Iterable[_Union[Config, _Mapping]]] = ..., renewed: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., leaving: _Optional[bool] = ..., histories: _Optional[_Iterable[_Union[History, _Mapping]]] = ..., progress: _Optional[_Iterable[_Union[Acknowledgement, _Mapping]]] = ..., packed: _Optional[bytes] = ..., drained: _Optional[bool] = ...) -> None: ...

class Attached(_message.Message):
    __slots__ = ("lease_ms", "lost", "answers_beats", "reads_packed")
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_BEATS_FIELD_NUMBER: _ClassVar[int]
    READS_PACKED_FIELD_NUMBER: _ClassVar[int]
    lease_ms: int
    lost: _containers.RepeatedCompositeFieldContainer[Held]
    answers_beats: bool
    reads_packed: bool
    def __init__(self, lease_ms: _Optional[int] = ..., lost: _Optional[_Iterable[_Union[Held, _Mapping]]] = ..., answers_beats: _Optional[bool] = ..., reads_packed: _Optional[bool] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("task_id", "fence", "session_id", "org_id", "traceparent", "payload", "config", "tail", "recorded", "started", "failures", "progress")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    session_id: bytes
    org_id: bytes
    traceparent: str
    payload: bytes
    config: Config
    tail: bytes
    recorded: bytes
    started: bool
    failures: int
    progress: bytes
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., session_id: _Optional[bytes] = ..., org_id: _Optional[bytes] = ..., traceparent: _Optional[str] = ..., payload: _Optional[bytes] = ..., config: _Optional[_Union[Config, _Mapping]] = ..., tail: _Optional[bytes] = ..., recorded: _Optional[bytes] = ..., started: _Optional[bool] = ..., failures: _Optional[int] = ..., progress: _Optional[bytes] = ...) -> None: ...

class History(_message.Message):
    __slots__ = ("task_id", "fence", "steps", "after", "more", "at_places")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    AT_PLACES_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    steps: bytes
    after: str
    more: bool
    at_places: bool
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., steps: _Optional[bytes] = ..., after: _Optional[str] = ..., more: _Optional[bool] = ..., at_places: _Optional[bool] = ...) -> None: ...

class Config(_message.Message):
    __slots__ = ("hash", "body")
    HASH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    body: bytes
    def __init__(self, hash: _Optional[bytes] = ..., body: _Optional[bytes] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("task_id", "fence", "verdict", "counter")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    verdict: Verdict
    counter: int
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., counter: _Optional[int] = ...) -> None: ...
