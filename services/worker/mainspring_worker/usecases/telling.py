"""The model's stream as people watch it: fragments, and the events that frame them.

An event announces thinking once it really streams: a thought that is over within one flush interval
is only in the completed event.
"""

from typing import Final

from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.limits import DELTA_FLUSH_BYTES, DELTA_FLUSH_MS
from mainspring_schema.tasks import EmitEvent, ReasonTask
from mainspring_worker.ports.model import TextDelta, ThinkingDelta, ToolArgumentsDelta
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.flights import DeltaStream

TEXT: Final = "text"
THINKING: Final = "thinking"


class Telling:
    """One per model call."""

    def __init__(
        self,
        attempt: Attempt,
        payload: ReasonTask,
        stream: DeltaStream,
        *,
        model: str,
        clock: Clock,
    ) -> None:
        self._attempt = attempt
        self._payload = payload
        self._stream = stream
        self._model = model
        self._clock = clock
        self._thinking: list[str] | None = []
        """Thoughts not told yet; None once they stream."""
        self._thinking_since: float | None = None

    async def tell(self, item: TextDelta | ThinkingDelta | ToolArgumentsDelta) -> None:
        """Passes one piece on. Raises AttemptVoid where the engine refuses the announcement."""
        match item:
            case TextDelta():
                self._stream.add(TEXT, item.text)
            case ToolArgumentsDelta():
                self._stream.add(f"tool:{item.index}", item.fragment)
            case ThinkingDelta():
                await self._think(item.text)

    async def _think(self, text: str) -> None:
        if self._thinking is None:
            self._stream.add(THINKING, text)
            return
        now = self._clock.mono()
        since = now if self._thinking_since is None else self._thinking_since
        self._thinking_since = since
        self._thinking.append(text)
        waited_ms = (now - since) * 1000
        if waited_ms < DELTA_FLUSH_MS and sum(map(len, self._thinking)) < DELTA_FLUSH_BYTES:
            return
        held, self._thinking = self._thinking, None
        turn_id = to_wire(Prefix.TURN, self._payload.turn_id)
        await self._attempt.emit(
            EmitEvent(
                type="reason.thinking.started", data={"turn_id": turn_id, "model": self._model}
            )
        )
        self._stream.add(THINKING, "".join(held))
