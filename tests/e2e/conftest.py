from collections.abc import AsyncIterator

import pytest

from tests.e2e.rig import Rig


@pytest.fixture(scope="session")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One stack for all tests that kill parts of it; each leaves it whole."""
    rig = Rig(tmp_path_factory.mktemp("rig"))
    try:
        await rig.start()
        yield rig
    finally:
        await rig.stop()
