"""How a call ended: gRPC's statuses, and the exception that carries one across a transport."""

from enum import IntEnum
from typing import TypeAlias

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]
"""Names in lower case. Values of names that end in `-bin` are bytes, all others text."""


class Status(IntEnum):
    """The numbers of gRPC, which travel as `grpc-status`."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class CallFailed(Exception):
    """A call ended with another status than OK, here or at the other end."""

    def __init__(self, status: Status, details: str = "", metadata: Metadata = ()) -> None:
        super().__init__(f"{status.name}: {details}")
        self.status = status
        self.details = details
        self.metadata = metadata
