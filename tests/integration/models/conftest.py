from collections.abc import AsyncIterator

import pytest

from mainspring_worker.adapters.models.providers.driver import DRIVERS, ProviderDriver


@pytest.fixture(scope="package")
async def drivers() -> AsyncIterator[dict[str, ProviderDriver]]:
    made: dict[str, ProviderDriver] = {name: ProviderDriver(name) for name in DRIVERS}
    yield made
    for driver in made.values():
        await driver.aclose()
