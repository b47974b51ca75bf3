"""Just enough of Postgres' wire protocol to know when a reply says that something is committed."""

from typing import Final

_SHOWN_BYTES: Final = 16
"""Of a message's body: what it is stands in front."""
_SSL_REQUEST: Final = 80877103
_SYNC, _QUERY, _EXECUTE = ord("S"), ord("Q"), ord("E")
_READY, _COMPLETE = ord("Z"), ord("C")
_WRITES: Final = (b"COMMIT", b"SELECT", b"INSERT", b"UPDATE", b"DELETE")
"""Tags of what may have changed something: our statements are functions, so SELECT too."""


class Frames:
    """Cuts a stream into messages: the type, and the beginning of the body."""

    def __init__(self, *, typed: bool) -> None:
        self._typed = typed
        """False until a client's startup message, which has no type."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        self._buffer += data
        found: list[tuple[int, bytes]] = []
        at = 0
        while (end := self._end(at)) is not None:
            start = at + (1 if self._typed else 0) + 4
            body = self._buffer[start : min(end, start + _SHOWN_BYTES)]
            found.append((self._buffer[at] if self._typed else 0, body))
            if not self._typed and int.from_bytes(body[:4], "big") != _SSL_REQUEST:
                self._typed = True
            at = end
        self._buffer = self._buffer[at:]
        return found

    def _end(self, at: int) -> int | None:
        """Where the message ends that begins here; None while it is not whole."""
        start = at + (1 if self._typed else 0)
        if len(self._buffer) < start + 4:
            return None
        end = start + int.from_bytes(self._buffer[start : start + 4], "big")
        return end if len(self._buffer) >= end else None


class Commits:
    """Of one connection: whether the server just said that a transaction is over."""

    def __init__(self) -> None:
        self._client = Frames(typed=False)
        self._server = Frames(typed=True)
        self._pending = False
        self._complete = False
        self._negotiating = False

    def sent(self, data: bytes) -> None:
        """What the client sends."""
        for kind, body in self._client.feed(data):
            if kind == 0:
                self._negotiating = int.from_bytes(body[:4], "big") == _SSL_REQUEST
            if kind in (_EXECUTE, _QUERY):
                self._pending, self._complete = True, False

    def answered(self, data: bytes) -> bool:
        """Whether these bytes of the server end the reply to a statement that is committed."""
        if self._negotiating:
            # One byte: whether it would speak TLS.
            self._negotiating = False
            data = data[1:]
        told = False
        for kind, body in self._server.feed(data):
            if kind == _COMPLETE and body.startswith(_WRITES):
                self._complete = True
            elif kind == _READY:
                told = told or (self._pending and self._complete and body == b"I")
                self._pending = self._complete = False
        return told
