"""Asks a provider which models it has. A plain task brings the question and takes the answer."""

from typing import Final

import msgspec

from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import LeaseLost, MainspringError
from mainspring_schema.codec import canonical_json
from mainspring_schema.discovery import FoundModels, ListModels
from mainspring_schema.tasks import PlainResult, PlainTask, StepTask
from mainspring_schema.workflows import Flaw
from mainspring_worker.domain.limits import STEP_RESULT_BYTES_MAX
from mainspring_worker.ports.failures import Kind
from mainspring_worker.ports.model import ModelFailure
from mainspring_worker.usecases.asking import ModelDoor
from mainspring_workstream.attempt import Attempt, AttemptVoid

_ASKED: Final = msgspec.json.Decoder(ListModels)


class Discovery:
    """One per worker."""

    def __init__(self, door: ModelDoor, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    async def carry_out(self, attempt: Attempt, payload: PlainTask | StepTask) -> PlainResult:
        """The list, or why there is none: nobody asks again, for who waits for it decides that.

        Raises AttemptVoid for a task that is lost.
        """
        try:
            asked = _ASKED.decode(payload.input)
            now_ms = self._clock.wall_ms()
            found = await self._door.offered(attempt.held, asked.provider_id, now_ms=now_ms)
        except msgspec.MsgspecError as error:
            return _flawed("invalid_arguments", str(error))
        except LeaseLost as error:
            raise AttemptVoid from error
        except ModelFailure as error:
            return _flawed(error.failure.code, error.failure.message)
        except MainspringError as error:
            return _flawed(error.code, error.detail)
        return _told(found)


def _told(found: FoundModels) -> PlainResult:
    body = canonical_json(found)
    if len(body) > STEP_RESULT_BYTES_MAX:
        code = Kind.BAD_OUTPUT.code
        return _flawed(code, f"the list has {len(body)} bytes, too many to be kept")
    return PlainResult(result=body)


def _flawed(code: str, message: str) -> PlainResult:
    return PlainResult(flaw=Flaw(code=code, message=message), lasting=True)
