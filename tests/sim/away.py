"""A plugin of pytest: `-p tests.sim.away` takes the safeguard MAINSPRING_WITHOUT from all tests."""

import os
from contextlib import ExitStack

import pytest

from tests.sim.safeguards import without

_AWAY = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    _AWAY.enter_context(without(os.environ["MAINSPRING_WITHOUT"]))
    config.add_cleanup(_AWAY.close)
