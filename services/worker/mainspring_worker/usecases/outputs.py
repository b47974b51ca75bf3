"""Results that fit into an event, and those that are kept as a file and shown there in part."""

import asyncio
import logging
from typing import Final

import msgspec

from mainspring_harness.builtin import tool_output_persistence as persistence
from mainspring_kernel.backoff import RECONNECT, delay_s
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, Unavailable
from mainspring_kernel.limits import TOOL_IMAGES_BYTES_MAX, TOOL_RESULT_INLINE_BYTES_MAX
from mainspring_schema.codec import to_json
from mainspring_schema.messages import ImagePart, Json
from mainspring_schema.tasks import Failure, ToolResult, ToolTask
from mainspring_worker.domain.excerpt import FOLDER, PREVIEW_SHARE, excerpt, unshown, whole
from mainspring_worker.domain.limits import ERROR_TEXT_CHARS_MAX, KEEP_RESULT_S
from mainspring_worker.ports.files import SessionFiles
from mainspring_workstream.attempt import Attempt, HandedBack, Stop
from mainspring_workstream.configs import Configs, ConfigUnusable
from mainspring_workstream.overweight import is_sendable, writable
from mainspring_workstream.pictures import named, read

_LOG: Final = logging.getLogger(__name__)


class Outputs:
    """One per worker."""

    def __init__(
        self, *, files: SessionFiles, configs: Configs, clock: Clock, draws: Draws
    ) -> None:
        self._files = files
        self._configs = configs
        self._clock = clock
        self._draws = draws

    async def bounded(self, attempt: Attempt, payload: ToolTask, result: ToolResult) -> ToolResult:
        """The result within the bound of what may stand in an event; what is cut says so.

        Raises CancelledError where the attempt is lost meanwhile.
        """
        replace = msgspec.structs.replace
        if result.error is not None:
            result = replace(result, error=writable(result.error[:ERROR_TEXT_CHARS_MAX]))
        if result.images:
            result = await self._with_images(attempt, payload, result)
        try:
            body = to_json(result.result)
        except (TypeError, ValueError, RecursionError):
            return _no_json(result)
        bound = await self._bound(payload, len(body))
        if len(body) <= bound:
            return result if is_sendable(result.result) else _no_json(result)
        kept = whole(result.result, body)
        at = await self._keep(attempt, payload, kept.content, f".{kept.suffix}")
        return replace(
            result, result=excerpt(kept, kept_at=at, preview_bytes=bound // PREVIEW_SHARE)
        )

    async def _with_images(
        self, attempt: Attempt, payload: ToolTask, result: ToolResult
    ) -> ToolResult:
        """Those that fit into an event; of each other one the model reads where it is.

        What not every provider reads is named in the result, and no more.
        """
        shown, room = list[ImagePart](), TOOL_IMAGES_BYTES_MAX
        others = list[Json]()
        for place, image in enumerate(result.images, 1):
            encoded = image.base64 or ""
            if (picture := read(encoded)) is None:
                continue
            if len(encoded) <= room:
                shown.append(picture.part)
                room -= len(encoded)
                continue
            name = f"-{place}.{picture.media_type.removeprefix('image/')}"
            at = await self._keep(attempt, payload, picture.content, name)
            what = named(picture.media_type, len(picture.content))
            others.append(unshown(place, what, kept_at=at))
        told = {"result": result.result, "images_not_shown": others} if others else result.result
        return msgspec.structs.replace(result, result=told, images=tuple(shown))

    async def _bound(self, payload: ToolTask, size: int) -> int:
        """What may stand in an event for this agent; only results that matter ask who it is."""
        if size <= persistence.INLINE_BYTES_MIN or payload.capability_id in persistence.READERS:
            return TOOL_RESULT_INLINE_BYTES_MAX
        try:
            agent = await self._configs.get(payload.config_hash)
        except (ConfigUnusable, HandedBack):
            # The call is over: a configuration that does not come must not undo its result.
            return TOOL_RESULT_INLINE_BYTES_MAX
        return persistence.inline_bytes(agent.capabilities)

    async def _keep(
        self, attempt: Attempt, payload: ToolTask, content: bytes, name: str
    ) -> str | None:
        """Where it is. The call is over: whatever goes wrong here must not undo its result."""
        try:
            async with asyncio.timeout(KEEP_RESULT_S):
                return await self._write(attempt, payload, content, name)
        except TimeoutError:
            _LOG.warning("a large result was not kept in time", extra={"call": payload.call_id})
        except MainspringError as error:
            _LOG.warning(
                "a large result was not kept: %s", error.detail, extra={"call": payload.call_id}
            )
        except asyncio.CancelledError:
            running = asyncio.current_task()
            if attempt.stop is Stop.LOST or running is None:
                raise
            running.uncancel()
        return None

    async def _write(self, attempt: Attempt, payload: ToolTask, content: bytes, name: str) -> str:
        failures = 0
        while True:
            try:
                return await self._files.write(
                    attempt.held,
                    # Another attempt may have another result, and writes it over this one.
                    key=f"{payload.idempotency_key}:{attempt.held.fence}{name}",
                    path=f"{FOLDER}/{payload.call_id}{name}",
                    content=content,
                )
            except (Unavailable, DeadlineExceeded):
                failures += 1
                await self._clock.sleep(delay_s(RECONNECT, failures, self._draws.unit()))


def _no_json(result: ToolResult) -> ToolResult:
    message = "the tool returned something that is no JSON, or a whole number over 64 bits"
    failure = Failure(error_class="unknown", code="tool_result_invalid", message=message)
    return msgspec.structs.replace(
        result, status="error", result=None, error=message, failure=failure
    )
