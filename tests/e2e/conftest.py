"""One rig for the tests that kill parts of it."""

from collections.abc import AsyncIterator, Generator

import pytest

from tests.e2e.rig import Rig

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.session.stash[_FAILED] = True
    return report


@pytest.fixture(scope="session")
async def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("rig"))
    try:
        await rig.start()
        yield rig
    finally:
        await rig.stop()


@pytest.fixture
async def rig(shared_rig: Rig, request: pytest.FixtureRequest) -> Rig:
    """One stack for all tests that kill parts of it; each leaves it whole.

    Where one failed, what it left open is no fault of the next.
    """
    if request.session.stash.get(_FAILED, False):
        request.session.stash[_FAILED] = False
        await shared_rig.write_off()
    return shared_rig
