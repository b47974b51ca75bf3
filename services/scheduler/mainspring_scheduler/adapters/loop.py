import asyncio
import logging
from collections.abc import Coroutine
from typing import Final

from mainspring_kernel import backoff, limits
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import MainspringError
from mainspring_scheduler.domain import limits as bounds
from mainspring_scheduler.domain.duties import (
    Claimed,
    Duty,
    Failed,
    Outcome,
    Report,
    news,
    pause_ms,
)
from mainspring_scheduler.ports.duties import DutyStore
from mainspring_scheduler.usecases import duties as usecases
from mainspring_scheduler.usecases.duties import Work

_log = logging.getLogger(__name__)
_STORE_FAILURE: Final = backoff.Policy(first_s=0.5, max_s=5.0)


class Loop:
    """The scheduler's one loop: a tick claims what is due, each duty is served beside it.

    `serve` returns after `stop`; what was in flight then gets `drain_s` to end.
    """

    def __init__(
        self,
        *,
        store: DutyStore,
        work: Work,
        clock: Clock,
        draws: Draws,
        drain_s: float = limits.DRAIN_S * 3 / 4,  # what is left closes the connections
    ) -> None:
        self._store = store
        self._work = work
        self._clock = clock
        self._draws = draws
        self._drain_s = drain_s
        self._stopping = asyncio.Event()
        self._busy = asyncio.Event()
        self._woken = asyncio.Event()
        self._serving: dict[Duty, asyncio.Task[None]] = {}
        self._last: dict[Duty, Outcome] = {}
        self._store_failures = 0
        self._planted = False

    def stop(self) -> None:
        """Claims nothing any more. Safe twice."""
        self._stopping.set()

    def wake(self) -> None:
        """Claims at once: somebody changed here what is due. Safe to call at any time."""
        self._woken.set()

    async def serve(self) -> None:
        while not self._stopping.is_set():
            await self._pause(await self._tick())
        await self._drain()

    async def _tick(self) -> float:
        """One claim; answers how many seconds to the next."""
        try:
            if not self._planted:
                await usecases.plant(self._store)
                self._planted = True
            claims = await usecases.claim_due(self._store, in_flight=self._serving)
        except MainspringError as error:
            return self._store_failed(error)
        if self._store_failures:
            _log.info("duties are claimed again", extra={"failures": self._store_failures})
            self._store_failures = 0
        for duty in claims.duties:
            self._start(duty)
        return pause_ms(claims) / 1000

    def _store_failed(self, error: MainspringError) -> float:
        self._store_failures += 1
        if self._store_failures == 1:
            _log.warning("duties cannot be claimed: %s", error.detail, extra={"code": error.code})
        return backoff.delay_s(
            _STORE_FAILURE, self._store_failures, self._draws.unit(), retry_after_s=0.1
        )

    def _start(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._serve(claimed), name=f"duty {claimed.name}")
        self._serving[claimed.name] = task
        task.add_done_callback(lambda _: self._serving.pop(claimed.name, None))

    async def _serve(self, claimed: Claimed) -> None:
        try:
            outcome = await usecases.serve(
                claimed, store=self._store, work=self._work, draw=self._draws.unit
            )
        except MainspringError as error:
            # Only settling raises: the hold then brings the duty back by itself.
            outcome = Failed(code=error.code, detail=error.detail)
        except Exception as error:  # noqa: BLE001 -- one broken duty must not end the loop
            _log.exception("a duty broke", extra={"duty": claimed.name})
            outcome = Failed(code="internal_error", detail=str(error))
        self._tell(claimed.name, outcome)
        if isinstance(outcome, Report) and outcome.handled:
            self._busy.set()

    def _tell(self, duty: Duty, outcome: Outcome) -> None:
        if news(self._last.get(duty), outcome):
            if isinstance(outcome, Failed):
                _log.warning(
                    "duty fails: %s", outcome.detail, extra={"duty": duty, "code": outcome.code}
                )
            else:
                _log.info("duty is done again", extra={"duty": duty})
        self._last[duty] = outcome

    async def _pause(self, seconds: float) -> None:
        """Waits for the next tick: sooner where a pass found rows, at once where we stop."""
        await self._first(self._clock.sleep(seconds), self._busy.wait(), self._woken.wait())
        if self._busy.is_set():
            self._busy.clear()
            await self._first(self._clock.sleep(bounds.SWEEP_BUSY_MS / 1000), self._woken.wait())
        self._woken.clear()

    async def _first(self, *waits: Coroutine[object, object, object]) -> None:
        racing = [asyncio.ensure_future(wait) for wait in (*waits, self._stopping.wait())]
        try:
            await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in racing:
                wait.cancel()
            await asyncio.gather(*racing, return_exceptions=True)

    async def _drain(self) -> None:
        serving = list(self._serving.values())
        if not serving:
            return
        deadline = asyncio.ensure_future(self._clock.sleep(self._drain_s))
        work = asyncio.gather(*serving, return_exceptions=True)
        await asyncio.wait([work, deadline], return_when=asyncio.FIRST_COMPLETED)
        # A call that is cut off changes nothing here, and what it did there is committed there.
        for one in (*serving, deadline):
            one.cancel()
        await asyncio.gather(*serving, deadline, return_exceptions=True)
