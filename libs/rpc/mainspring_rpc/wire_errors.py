"""Errors of the house as gRPC statuses and back: the client raises what the server raised."""

from collections.abc import Iterable, Mapping
from typing import Final

import grpc
import msgspec
from grpc.aio import AioRpcError

from mainspring_kernel import limits
from mainspring_kernel.control_errors import MessageTaken, SessionBusy
from mainspring_kernel.errors import (
    DeadlineExceeded,
    MainspringError,
    NotImplementedHere,
    PayloadTooLarge,
    Scalar,
    Unavailable,
    rebuild,
)

ERROR_KEY: Final = "mainspring-error-bin"
"""Trailing metadata with the error; gRPC allows bytes under names that end in -bin."""
_DETAIL_CHARS_MAX: Final = 1000
"""All metadata of a call must stay below 8 KiB."""

CONTROL: Final = (MessageTaken, SessionBusy)
"""Their codes are known where their module was imported, which is wherever errors arrive."""

_STATUS: Final[dict[int, grpc.StatusCode]] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.OUT_OF_RANGE,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class WireError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the metadata holds."""

    code: str
    detail: str
    retry_after_s: float | None = None
    data: Mapping[str, Scalar] = {}


def status_of(error: MainspringError) -> grpc.StatusCode:
    """The gRPC status that fits the error's HTTP status."""
    return _STATUS.get(error.status, grpc.StatusCode.INTERNAL)


def metadata_of(error: MainspringError) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata that carries the error."""
    wire = WireError(
        code=error.code,
        detail=error.detail[:_DETAIL_CHARS_MAX],
        retry_after_s=error.retry_after_s,
        data=error.data,
    )
    return ((ERROR_KEY, msgspec.json.encode(wire)),)


def error_of(raised: AioRpcError) -> MainspringError:
    """The error that the server raised, or what gRPC itself met on the way."""
    carried = _carried(raised.trailing_metadata() or ())
    if carried is not None:
        return rebuild(
            carried.code, carried.detail, retry_after_s=carried.retry_after_s, data=carried.data
        )
    return _by_status(raised.code(), raised.details() or "")


def _carried(metadata: Iterable[tuple[str, str | bytes]]) -> WireError | None:
    for key, value in metadata:
        if key == ERROR_KEY:
            try:
                return msgspec.json.decode(value, type=WireError)
            except msgspec.DecodeError:
                return None
    return None


def _by_status(code: grpc.StatusCode, details: str) -> MainspringError:
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return Unavailable(details)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(details)
        case grpc.StatusCode.UNIMPLEMENTED:
            return NotImplementedHere(details)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return PayloadTooLarge("an rpc message", limits.RPC_MESSAGE_BYTES_MAX)
        case _:
            return MainspringError(f"{code.name}: {details}")
