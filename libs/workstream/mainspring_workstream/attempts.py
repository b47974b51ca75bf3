"""The attempts under way: begun, answered and interrupted as the engine says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, assert_never

import msgspec

from mainspring_kernel.clock import Clock
from mainspring_schema.frames import Held, Task, Verdict
from mainspring_schema.tasks import TaskPayload
from mainspring_workstream import actions as acts
from mainspring_workstream.attempt import Attempt, AttemptVoid, HandedBack, Stop
from mainspring_workstream.configs import Configs
from mainspring_workstream.core import WorkerCore

_LOG: Final = logging.getLogger(__name__)
_PAYLOAD: Final[msgspec.msgpack.Decoder[TaskPayload]] = msgspec.msgpack.Decoder(TaskPayload)

Steps: TypeAlias = Callable[[Attempt], Awaitable[bytes]]
"""Carries one attempt out; the packed result. Raises HandedBack or AttemptVoid for none."""


class Attempts:
    """One per worker. `wake` tells the writer that something may have come up to be sent."""

    def __init__(
        self,
        *,
        core: WorkerCore,
        clock: Clock,
        steps: Steps,
        configs: Configs,
        wake: Callable[[], None],
    ) -> None:
        self._core = core
        self._clock = clock
        self._steps = steps
        self._configs = configs
        self._wake = wake
        self._open: dict[Held, Attempt] = {}
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def drain(self, *, begun: bool) -> None:
        """Interrupts what has not begun an effect; with `begun` the rest as well."""
        for attempt in tuple(self._open.values()):
            if begun or not attempt.begun:
                attempt.interrupt(Stop.DRAINED)

    async def abandon(self) -> None:
        """Stops everything, for the worker ends; nothing is reported."""
        for attempt in tuple(self._open.values()):
            attempt.interrupt(Stop.LOST)
        if self._running:
            await asyncio.wait(self._running)

    def act(self, action: acts.Action) -> bool:
        """Does what the core says; whether the stream is to be left."""
        match action:
            case acts.Begin(task):
                self._begin(task)
            case acts.Stop() | acts.Cancel():
                self._interrupt(action)
            case (
                acts.StartAnswered()
                | acts.EmitAnswered()
                | acts.ProgressAnswered()
                | acts.Renewed()
            ):
                self._tell(action)
            case acts.Recorded(history):
                attempt = self._open.get(history.held)
                if attempt is not None:
                    attempt.history_came(history)
            case acts.Configured(config):
                self._configs.keep(config)
            case acts.Leave():
                return True
            case _:
                self._note(action)
        return False

    def _note(self, action: acts.Settled | acts.Joined) -> None:
        match action:
            case acts.Settled(held, verdict):
                if verdict is Verdict.INVALID:
                    _LOG.error("result refused as invalid", extra={"task": held.task_id.hex})
            case acts.Joined():
                _LOG.info("attached", extra={"lease_ms": round(self._core.lease_s * 1000)})
            case _:
                assert_never(action)

    def _tell(
        self,
        action: acts.StartAnswered | acts.EmitAnswered | acts.ProgressAnswered | acts.Renewed,
    ) -> None:
        attempt = self._open.get(action.held)
        if attempt is None:
            return
        match action:
            case acts.StartAnswered():
                attempt.start_answered(granted=action.granted)
            case acts.EmitAnswered():
                attempt.emit_answered(action.counter, granted=action.granted)
            case acts.ProgressAnswered(_, step):
                attempt.progress_answered(step)
            case acts.Renewed():
                attempt.renewed()
            case _:
                assert_never(action)

    def _interrupt(self, action: acts.Stop | acts.Cancel) -> None:
        attempt = self._open.get(action.held)
        if attempt is not None:
            attempt.interrupt(Stop.LOST if isinstance(action, acts.Stop) else Stop.CANCELLED)

    def _begin(self, task: Task) -> None:
        if task.config is not None:
            self._configs.keep(task.config)
        try:
            payload: TaskPayload = _PAYLOAD.decode(task.payload)
        except msgspec.MsgspecError:
            # Made by a newer version: a worker of that version can read it.
            _LOG.exception("unreadable task", extra={"task": task.held.task_id.hex})
            self._core.hand_back(task.held)
            return
        attempt = Attempt(task, payload, core=self._core, clock=self._clock, wake=self._wake)
        self._open[task.held] = attempt
        running = asyncio.create_task(self._carry_out(attempt))
        attempt.goes_on_in(running)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _carry_out(self, attempt: Attempt) -> None:
        held = attempt.held
        try:
            attempt.enter()
            self._core.finish(held, await self._steps(attempt))
        except (HandedBack, asyncio.CancelledError):
            if attempt.stop is Stop.LOST:
                self._core.release(held)
            else:
                self._core.hand_back(held)
        except AttemptVoid:
            self._core.release(held)
        except Exception:  # noqa: BLE001 - the outermost frame of an attempt; it logs
            # The steps answer every failure they know; this one is ours.
            _LOG.exception("attempt failed", extra={"task": held.task_id.hex})
            self._drop(attempt)
        finally:
            del self._open[held]
            self._wake()

    def _drop(self, attempt: Attempt) -> None:
        if attempt.begun:
            self._core.release(attempt.held)  # its effect class decides, once the lease ends
        else:
            self._core.hand_back(attempt.held)
