"""The attempts under way: begun, answered and interrupted as the engine says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, assert_never

import msgspec

from mainspring_kernel.clock import Clock
from mainspring_schema.frames import Held, History, Task
from mainspring_schema.tasks import AttemptPayload
from mainspring_workstream import actions as acts
from mainspring_workstream.attempt import Attempt, AttemptVoid, Cancellable, HandedBack, Stop
from mainspring_workstream.configs import Configs
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.overweight import carried

_LOG: Final = logging.getLogger(__name__)
_PAYLOAD: Final[msgspec.msgpack.Decoder[AttemptPayload]] = msgspec.msgpack.Decoder(AttemptPayload)

Steps: TypeAlias = Callable[[Attempt], Awaitable[bytes]]
"""Carries one attempt out; the packed result. Raises HandedBack or AttemptVoid for none."""
Ended: TypeAlias = Callable[[Attempt, bytes | BaseException], None]
"""How an attempt ended: with its packed result, or with what its steps would have raised."""


class Elsewhere(Protocol):
    """Some attempts are carried out on another loop, and cost this one no task each."""

    def begin(self, attempt: Attempt, ended: Ended) -> Cancellable | None:
        """`ended` is called once and never at once, also after a cancel.

        None where the attempt is one that is to be awaited here.
        """
        ...


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
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._elsewhere = elsewhere
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
            case acts.Refused() | acts.Joined():
                self._note(action)
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
                self._bring(history)
            case acts.Configured(config):
                self._configs.keep(config)
            case acts.Leave():
                return True
            case _:
                assert_never(action)
        return False

    def _note(self, action: acts.Refused | acts.Joined) -> None:
        match action:
            case acts.Refused(held):
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

    def _bring(self, history: History) -> None:
        attempt = self._open.get(history.held)
        if attempt is not None:
            attempt.history_came(history)

    def _interrupt(self, action: acts.Stop | acts.Cancel) -> None:
        attempt = self._open.get(action.held)
        if attempt is not None:
            attempt.interrupt(Stop.LOST if isinstance(action, acts.Stop) else Stop.CANCELLED)

    def _begin(self, task: Task) -> None:
        if task.config is not None:
            self._configs.keep(task.config)
        try:
            payload: AttemptPayload = _PAYLOAD.decode(task.payload)
        except msgspec.MsgspecError:
            # Made by a newer version: a worker of that version can read it.
            _LOG.exception("unreadable task", extra={"task": task.held.task_id.hex})
            self._core.hand_back(task.held)
            return
        attempt = Attempt(task, payload, core=self._core, clock=self._clock, wake=self._wake)
        self._open[task.held] = attempt
        if self._elsewhere is not None:
            away = self._elsewhere.begin(attempt, self._settle)
            if away is not None:
                attempt.goes_on_in(away)
                attempt.enter()
                return
        running = asyncio.create_task(self._carry_out(attempt))
        attempt.goes_on_in(running)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _carry_out(self, attempt: Attempt) -> None:
        outcome: bytes | BaseException
        try:
            attempt.enter()
            outcome = await self._steps(attempt)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the outermost frame of an attempt; it logs
            outcome = error
        self._settle(attempt, outcome)

    def _settle(self, attempt: Attempt, outcome: bytes | BaseException) -> None:
        held = attempt.held
        match outcome:
            case bytes():
                self._core.finish(held, carried(attempt.payload, outcome))
            case HandedBack() | asyncio.CancelledError():
                if attempt.stop is Stop.LOST:
                    self._core.release(held)
                else:
                    self._core.hand_back(held)
            case AttemptVoid():
                self._core.release(held)
            case _:
                # The steps answer every failure they know; this one is ours.
                _LOG.error("attempt failed", exc_info=outcome, extra={"task": held.task_id.hex})
                self._drop(attempt)
        del self._open[held]
        self._wake()

    def _drop(self, attempt: Attempt) -> None:
        if attempt.begun:
            self._core.release(attempt.held)  # its effect class decides, once the lease ends
        else:
            self._core.hand_back(attempt.held)
