"""The capabilities that every installation has."""

from mainspring_harness.builtin.arithmetic import TEST_MATH
from mainspring_harness.builtin.current_time import CURRENT_TIME
from mainspring_harness.builtin.noop import NOOP
from mainspring_harness.builtin.session_file_system import SESSION_FILE_SYSTEM
from mainspring_harness.builtin.weather import TEST_WEATHER
from mainspring_harness.registry import Registry


def builtin_registry() -> Registry:
    """All built-in capabilities."""
    return Registry(
        (
            CURRENT_TIME,
            NOOP,
            SESSION_FILE_SYSTEM,
            TEST_MATH,
            TEST_WEATHER,
        )
    )
