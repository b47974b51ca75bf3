"""Errors of the house as gRPC statuses and back: the client raises what the server raised."""

from collections.abc import Mapping
from typing import Final

import msgspec

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
from mainspring_rpc.status import CallFailed, Metadata, Status

ERROR_KEY: Final = "mainspring-error-bin"
"""Trailing metadata with the error; gRPC allows bytes under names that end in -bin."""
_DETAIL_CHARS_MAX: Final = 1000
"""All metadata of a call must stay below 8 KiB."""

CONTROL: Final = (MessageTaken, SessionBusy)
"""Their codes are known where their module was imported, which is wherever errors arrive."""

_STATUS: Final[dict[int, Status]] = {
    400: Status.INVALID_ARGUMENT,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    409: Status.FAILED_PRECONDITION,
    413: Status.OUT_OF_RANGE,
    422: Status.INVALID_ARGUMENT,
    429: Status.RESOURCE_EXHAUSTED,
    501: Status.UNIMPLEMENTED,
    503: Status.UNAVAILABLE,
    504: Status.DEADLINE_EXCEEDED,
}


class WireError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the metadata holds."""

    code: str
    detail: str
    retry_after_s: float | None = None
    data: Mapping[str, Scalar] = {}


def status_of(error: MainspringError) -> Status:
    """The gRPC status that fits the error's HTTP status."""
    return _STATUS.get(error.status, Status.INTERNAL)


def metadata_of(error: MainspringError) -> Metadata:
    """The trailing metadata that carries the error."""
    wire = WireError(
        code=error.code,
        detail=error.detail[:_DETAIL_CHARS_MAX],
        retry_after_s=error.retry_after_s,
        data=error.data,
    )
    return ((ERROR_KEY, msgspec.json.encode(wire)),)


def failure_of(error: MainspringError) -> CallFailed:
    """How a call ends that raised this."""
    return CallFailed(status_of(error), error.detail[:_DETAIL_CHARS_MAX], metadata_of(error))


def error_of(failure: CallFailed) -> MainspringError:
    """The error that the server raised, or what the transport met on the way."""
    carried = _carried(failure.metadata)
    if carried is not None:
        return rebuild(
            carried.code, carried.detail, retry_after_s=carried.retry_after_s, data=carried.data
        )
    return _by_status(failure.status, failure.details)


def _carried(metadata: Metadata) -> WireError | None:
    for key, value in metadata:
        if key == ERROR_KEY:
            try:
                return msgspec.json.decode(value, type=WireError)
            except msgspec.DecodeError:
                return None
    return None


def _by_status(code: Status, details: str) -> MainspringError:
    match code:
        case Status.UNAVAILABLE | Status.CANCELLED:
            return Unavailable(details)
        case Status.DEADLINE_EXCEEDED:
            return DeadlineExceeded(details)
        case Status.UNIMPLEMENTED:
            return NotImplementedHere(details)
        case Status.RESOURCE_EXHAUSTED:
            return PayloadTooLarge("an rpc message", limits.RPC_MESSAGE_BYTES_MAX)
        case _:
            return MainspringError(f"{code.name}: {details}")
