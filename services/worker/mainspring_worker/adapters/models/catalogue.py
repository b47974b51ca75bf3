"""All drivers of a worker by name; each is made when it is first asked for."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from mainspring_harness.builtin.background_execution import RELAY
from mainspring_kernel.clock import Clock
from mainspring_schema.agents import NO_DRIVER
from mainspring_worker.adapters.models.llmsim.driver import LlmSim
from mainspring_worker.adapters.models.providers.driver import DRIVERS, ProviderDriver
from mainspring_worker.adapters.models.relay import Relay
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelDriver


class Drivers:
    """The catalogue."""

    def __init__(self, makers: Mapping[str, Callable[[], ModelDriver]]) -> None:
        self._makers = makers
        self._made: dict[str, ModelDriver] = {}

    def named(self, driver: str) -> ModelDriver:
        made = self._made.get(driver)
        if made is None:
            maker = self._makers.get(driver)
            if maker is None:
                raise failure(Kind.MODEL_NOT_AVAILABLE, self._missing(driver))
            made = self._made[driver] = maker()
        return made

    def _missing(self, driver: str) -> str:
        if driver == NO_DRIVER:
            return "no such model is configured"
        known = ", ".join(sorted(self._makers))
        return f"unknown driver {driver!r}; this worker has: {known}"

    async def aclose(self) -> None:
        made, self._made = self._made, {}
        for driver in made.values():
            await driver.aclose()


def drivers(clock: Clock, *, proxy: str | None = None) -> Drivers:
    """Simulator, relay and the real providers, whose libraries load with their first call."""
    makers: dict[str, Callable[[], ModelDriver]] = {
        "llmsim": lambda: LlmSim(clock),
        RELAY.driver: Relay,
    }
    for name in DRIVERS:
        makers[name] = partial(ProviderDriver, name, proxy=proxy)
    return Drivers(makers)


KEYLESS: Final = frozenset({"llmsim", RELAY.driver})
"""Drivers that are called without credentials."""
