from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hold(_message.Message):
    __slots__ = ("task_id", "fence")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    task_id: bytes
    fence: int
    def __init__(self, task_id: _Optional[bytes] = ..., fence: _Optional[int] = ...) -> None: ...

class GetCredentialsRequest(_message.Message):
    __slots__ = ("hold", "provider_id")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_ID_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    provider_id: str
    def __init__(self, hold: _Optional[_Union[Hold, _Mapping]] = ..., provider_id: _Optional[str] = ...) -> None: ...

class GetCredentialsResponse(_message.Message):
    __slots__ = ("api_key", "base_url", "driver")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    api_key: str
    base_url: str
    driver: str
    def __init__(self, api_key: _Optional[str] = ..., base_url: _Optional[str] = ..., driver: _Optional[str] = ...) -> None: ...

class WriteFileRequest(_message.Message):
    __slots__ = ("hold", "idempotency_key", "path", "content")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    idempotency_key: str
    path: str
    content: bytes
    def __init__(self, hold: _Optional[_Union[Hold, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., path: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class WriteFileResponse(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class AskRequest(_message.Message):
    __slots__ = ("hold", "question")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    question: bytes
    def __init__(self, hold: _Optional[_Union[Hold, _Mapping]] = ..., question: _Optional[bytes] = ...) -> None: ...

class AskResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: bytes
    def __init__(self, answer: _Optional[bytes] = ...) -> None: ...

class ChangeRequest(_message.Message):
    __slots__ = ("hold", "idempotency_key", "order")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    idempotency_key: str
    order: bytes
    def __init__(self, hold: _Optional[_Union[Hold, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., order: _Optional[bytes] = ...) -> None: ...

class ChangeResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: bytes
    def __init__(self, answer: _Optional[bytes] = ...) -> None: ...
