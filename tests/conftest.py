import hypothesis
import pytest

pytest_plugins = ["mainspring_testkit.fixtures"]

# A slow machine is no finding, and neither is a test that draws much: both differ from run to run.
hypothesis.settings.register_profile("mainspring", deadline=None)
hypothesis.settings.load_profile("mainspring")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the tests of an `xdist_group` on one worker.

    pytest-xdist 3.8 says the group in a member of items that pytest 9.2 reads no longer, so that
    without this its groups are silently none.
    """
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
        if groups and "@" not in item.nodeid.rpartition("]")[2]:
            # The very type it has, because its module is pytest's own.
            item._id = type(item._id).parse(f"{item.nodeid}@{'_'.join(sorted(groups))}")
