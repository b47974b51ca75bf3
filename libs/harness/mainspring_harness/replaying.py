"""Replay: each request to a model is rebuilt from the log and compared with what was recorded.

No model is asked. Pure: what a configuration's hash stands for is given.
"""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
from msgspec import Struct, field

from mainspring_harness.hashing import request_hash
from mainspring_harness.transcript import Transcript
from mainspring_schema.events import InputMessage, ReasonStarted, StoredEvent, decode_payload
from mainspring_schema.messages import Controls

Status = Literal["matches", "differs", "unknown"]
"""`unknown`: nothing to compare with, or a configuration that cannot be had any more."""
Stable = Callable[[bytes], bytes | None]
"""The digest of a configuration by its hash; None where it is not known here."""


class Replayed(Struct, frozen=True, kw_only=True):
    """`seq` is of the event that recorded the call; `rebuilt` is empty where it could not be."""

    turn_id: str | None
    seq: int
    status: Status
    recorded: str
    rebuilt: str = ""


class _Request(Struct):
    hash: str = ""
    config_hash: str = ""


class _Generation(Struct):
    request: _Request = field(default_factory=_Request)


def config_of(event: StoredEvent) -> bytes:
    """The hash of the configuration of a model call; empty for any other event."""
    if event.type != "llm.generation":
        return b""
    return bytes.fromhex(_GENERATION.decode(decode_payload(event.payload).data).request.config_hash)


class Replay:
    """Takes a session's events in order, from its first on; `calls` are those so far."""

    def __init__(self, stable: Stable) -> None:
        self._stable = stable
        self._transcript = Transcript()
        self._controls: dict[str, Controls | None] = {}
        self._effort: str | None = None
        self.calls: list[Replayed] = []

    def take(self, events: Iterable[StoredEvent]) -> None:
        """Raises TranscriptBroken."""
        for event in events:
            if event.type == "llm.generation":
                self.calls.append(self._compared(event))
            self._transcript.take((event,))
            if event.type == "input.message":
                message = _INPUT.decode(decode_payload(event.payload).data).message
                self._controls[message.id] = message.controls
            elif event.type == "reason.started":
                consumed = _STARTED.decode(decode_payload(event.payload).data).consumed
                self._effort = self._asked(consumed)

    def _asked(self, consumed: tuple[str, ...]) -> str | None:
        """What the newest message that the call takes up asks for."""
        taken = [self._controls.pop(id_, None) for id_ in consumed]
        controls = taken[-1] if taken else None
        reasoning = None if controls is None else controls.reasoning
        return None if reasoning is None else reasoning.effort

    def _compared(self, event: StoredEvent) -> Replayed:
        payload = decode_payload(event.payload)
        asked = _GENERATION.decode(payload.data).request
        turn_id = payload.context.turn_id
        known = self._stable(bytes.fromhex(asked.config_hash)) if asked.config_hash else None
        if known is None or not asked.hash:
            return Replayed(turn_id=turn_id, seq=event.seq, status="unknown", recorded=asked.hash)
        rebuilt = request_hash(known, self._transcript, self._effort).hex()
        return Replayed(
            turn_id=turn_id,
            seq=event.seq,
            status="matches" if rebuilt == asked.hash else "differs",
            recorded=asked.hash,
            rebuilt=rebuilt,
        )


_INPUT = msgspec.json.Decoder(InputMessage)
_STARTED = msgspec.json.Decoder(ReasonStarted)
_GENERATION = msgspec.json.Decoder(_Generation)
