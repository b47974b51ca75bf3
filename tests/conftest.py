import gc
from collections import Counter
from collections.abc import Generator

import hypothesis
import pytest

pytest_plugins = ["mainspring_testkit.fixtures"]

# A slow machine is no finding, and neither is a test that draws much: both differ from run to run.
hypothesis.settings.register_profile("mainspring", deadline=None)
hypothesis.settings.load_profile("mainspring")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: going over it again and again took a third of the time for it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gives every test an id of its own, and keeps those of an `xdist_group` on one worker.

    Other plugins write both into a member of items that pytest 9.2 reads no longer. Unmended, the
    groups are silently none, and xdist runs one of several tests with the same id, also silently.
    """
    for item in items:
        if not item.nodeid.endswith(item.name):
            rename(item, f"{item.nodeid.rpartition('::')[0]}::{item.name}")
        groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
        if groups and config.getoption("loadgroup", default=False):
            rename(item, f"{item.nodeid}@{'_'.join(sorted(groups))}")
    twins = [
        nodeid for nodeid, count in Counter(item.nodeid for item in items).items() if count > 1
    ]
    if twins:
        message = f"several tests have one id, of which xdist would run one: {twins}"
        raise pytest.UsageError(message)


def rename(item: pytest.Item, nodeid: str) -> None:
    # The very type it has, because its module is pytest's own.
    item._id = type(item._id).parse(nodeid)
